"""A plan as text, as JSON and as the body of a pull request."""

from dataclasses import asdict
from typing import Any

from delivery.judgement import Image
from delivery.promotion import Plan, reasons

_MARK = {
    "tested": "tested", "rolled back": "ROLLED BACK", "refused": "REFUSED", "unknown": "unknown",
}  # fmt: skip


def as_json(plan: Plan) -> dict[str, Any]:
    """All of it, for programs."""
    return {"allowed": plan.allowed, "empty": plan.empty, "reasons": reasons(plan), **asdict(plan)}


def as_text(plan: Plan, *, manifests: bool = True) -> str:
    """For a terminal."""
    lines = [f"main    {plan.main[:12]}", f"staging {plan.candidate[:12]}", "", _verdict(plan), ""]
    lines += [f"  - {each}" for each in reasons(plan)]
    lines += ["", f"commits ({len(plan.commits)})"]
    lines += [f"  {each.sha[:12]} {each.subject}" for each in plan.commits]
    lines += ["", "images"]
    lines += [
        f"  {image.stage:17} {_change(image):43} {_MARK[image.state]:11} "
        f"{(image.source or '')[:12]}".rstrip()
        for image in plan.images
    ]
    lines += [f"  {each}" for each in _held(plan)]
    if plan.attention:
        lines += ["", "look at these: they decide what later promotions may do"]
        lines += [f"  {path}" for path in plan.attention]
    if manifests:
        lines += ["", "manifests", plan.manifests or "  no change"]
    return "\n".join(lines)


def as_markdown(plan: Plan) -> str:
    """The pull request's body."""
    rows = [
        f"| {image.stage} | `{_change(image)}` | {_MARK[image.state]} | "
        f"{(image.source or '')[:12]} |"
        for image in plan.images
    ]
    against = [f"- {each}" for each in reasons(plan)]
    look = [f"- `{path}`" for path in plan.attention]
    return "\n".join(
        [
            f"{_verdict(plan)} It is merged by the workflow *promote* as a fast-forward; the",
            "button below would make a commit that was never tested, and is not to be used.",
            "",
            *against,
            "",
            "| image | digest | state | built from |",
            "|---|---|---|---|",
            *rows,
            "",
            *(f"- {each}" for each in _held(plan)),
            "",
            *(["Changes that decide what later promotions may do:", "", *look, ""] if look else []),
            "<details><summary>Manifests</summary>",
            "",
            "```diff",
            plan.manifests.replace("```", "'''") or "no change",
            "```",
            "",
            "</details>",
        ]
    )


def _held(plan: Plan) -> list[str]:
    """Stages that a rollback keeps at an earlier image than their code's."""
    held = [image for image in plan.images if image.state == "rolled back"]
    return [
        f"{image.stage} runs an earlier image than its code's: {image.problem}" for image in held
    ]


def _verdict(plan: Plan) -> str:
    if plan.empty:
        return "Nothing to promote: main is at the tip of staging."
    if plan.allowed:
        return f"May be promoted: {len(plan.commits)} commits, every image tested on staging."
    return "Must not be promoted."


def _change(image: Image) -> str:
    new = image.digest[7:19]
    if image.was == image.digest:
        return f"{new} (as on main)"
    return f"{image.was[7:19] if image.was else 'none'} -> {new}"
