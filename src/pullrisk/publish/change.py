"""How a score changed since it was last told, and which facts made the difference."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pullrisk.model.bundle import Band
from pullrisk.publish.result import Result
from pullrisk.score.result import Share

MOST_REASONS: Final = 8
MOST_BYTES: Final = 8_000
_MOST_TEXT: Final = 200
_SMALLEST: Final = 0.005
"""A smaller difference of two risks is none that a person would see."""

_Text = Annotated[str, Meta(max_length=_MOST_TEXT)]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of a pull before: enough to say what is different now.

    `reasons` is the effect on the risk by the reason's kind and path, with its sentence.
    """

    head_sha: Annotated[str, Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    risk: Share | None = None
    band: Band | None = None
    reasons: Annotated[dict[_Text, tuple[float, _Text]], Meta(max_length=MOST_REASONS)] = {}


def snapshot_of(result: Result) -> Snapshot:
    """What is kept of a result, to compare the next one with."""
    brief = result.brief
    if brief is None:
        return Snapshot(head_sha=result.head_sha)
    reasons = {
        f"{each.kind} {each.path or ''}".strip()[:_MOST_TEXT]: (each.effect, each.text[:_MOST_TEXT])
        for each in brief.reasons[:MOST_REASONS]
    }
    return Snapshot(head_sha=result.head_sha, risk=brief.risk, band=brief.band, reasons=reasons)


def encode(snapshot: Snapshot) -> str:
    """As text that may stand in a comment of HTML: no character ends it."""
    return urlsafe_b64encode(msgspec.json.encode(snapshot)).decode()


def decode(text: str) -> Snapshot | None:
    """What `encode` made text of; None if it is something else."""
    if len(text) > MOST_BYTES:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(text.encode()), type=Snapshot)
    except (ValueError, RecursionError):
        return None


def sentences(before: Snapshot, now: Snapshot) -> list[str]:
    """What changed, as plain sentences without a full stop; empty if nothing did."""
    if before.risk is None or now.risk is None:
        return _first_score(before, now)
    since = f"since `{before.head_sha[:7]}`" if before.head_sha != now.head_sha else "before"
    if abs(now.risk - before.risk) < _SMALLEST and before.band == now.band:
        return [] if before.head_sha == now.head_sha else [f"Unchanged {since}: {_level(now)}"]
    verb = "Up" if now.risk > before.risk else "Down"
    head = f"{verb} from {_level(before)} {since} to {_level(now)}"
    came = [now.reasons[key] for key in now.reasons if key not in before.reasons]
    went = [before.reasons[key] for key in before.reasons if key not in now.reasons]
    return [
        head,
        *(f"new: {text}" for _, text in _strongest(came)),
        *(f"no longer: {text}" for _, text in _strongest(went)),
    ]


def _first_score(before: Snapshot, now: Snapshot) -> list[str]:
    if now.risk is not None:
        return [f"Not scored at `{before.head_sha[:7]}`; now {_level(now)}"]
    return [f"Scored at `{before.head_sha[:7]}` ({_level(before)}); now not"] if before.risk else []


def _level(snapshot: Snapshot) -> str:
    risk = f"{snapshot.risk or 0:.0%}"
    return f"{risk} ({snapshot.band})" if snapshot.band else risk


def _strongest(reasons: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The two that moved the risk most."""
    return sorted(reasons, key=lambda each: -abs(each[0]))[:2]
