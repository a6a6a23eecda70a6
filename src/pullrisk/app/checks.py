"""Check runs: one for each pull request and head commit, written once and updated in place.

Which check run is a pull's own is asked of GitHub each time, by its name and `external_id`. So a
worker that is killed between publishing and noting it leaves nothing behind that the next one
would publish a second time.
"""

from typing import Any, Final

import msgspec

from pullrisk.app.github import InstallationApi, repository_path

NAME: Final = "pullrisk"
MOST_ANNOTATIONS: Final = 50
"""GitHub takes no more in one request."""
MOST_TEXT: Final = 65_535
"""Characters of a summary that GitHub takes."""
_MOST_RUNS: Final = 1_000


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A note at lines of the head commit, from 1, both included."""

    path: str
    start_line: int
    end_line: int
    message: str
    annotation_level: str = "notice"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check run shows: one line, a text in Markdown, notes at lines."""

    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()


async def publish_check(
    api: InstallationApi, repository: str, sha: str, *, subject: str, verdict: Verdict
) -> None:
    """Have the commit show this verdict on the subject, always `neutral`. Raises a Failure."""
    known = await _known(api, repository, sha, subject)
    if known is not None and _shows(known, verdict):
        return
    body = {
        "name": NAME,
        "external_id": subject,
        "status": "completed",
        "conclusion": "neutral",
        "output": _output(verdict, annotated=known is None),
    }
    path = repository_path(repository, "check-runs")
    if known is None:
        await api.send("POST", path, body | {"head_sha": sha})
    else:
        await api.send("PATCH", f"{path}/{known['id']}", body)


async def _known(api: InstallationApi, repository: str, sha: str, subject: str) -> Any:  # noqa: ANN401
    """The check run of the subject, of which GitHub tells what it shows; None if there is none."""
    runs = await api.pages(
        repository_path(repository, "commits", sha, "check-runs"),
        part="check_runs",
        most=_MOST_RUNS,
        check_name=NAME,
        filter="all",
    )
    return next((run for run in runs if run.get("external_id") == subject), None)


def _shows(run: Any, verdict: Verdict) -> bool:  # noqa: ANN401
    output = run.get("output") or {}
    same: bool = (output.get("title"), output.get("summary")) == (verdict.title, _summary(verdict))
    return same


def _output(verdict: Verdict, *, annotated: bool) -> dict[str, object]:
    """What GitHub is sent; an update leaves the annotations out, since it would add them again."""
    output: dict[str, object] = {"title": verdict.title, "summary": _summary(verdict)}
    if annotated and verdict.annotations:
        output["annotations"] = msgspec.to_builtins(verdict.annotations[:MOST_ANNOTATIONS])
    return output


def _summary(verdict: Verdict) -> str:
    return verdict.summary[:MOST_TEXT]
