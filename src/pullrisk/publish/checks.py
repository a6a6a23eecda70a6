"""Check runs: one for each pull request and head commit, written once and updated in place.

Which check run is a pull's own is asked of GitHub each time, by its name and `external_id`. So a
process that is killed between publishing and noting it leaves nothing behind that the next one
would publish a second time.
"""

from typing import Final

import msgspec

from pullrisk.publish.api import Api, repository_path

NAME: Final = "pullrisk"
MOST_ANNOTATIONS: Final = 50
"""GitHub takes no more in one request."""
MOST_TEXT: Final = 65_535
"""Characters of a summary that GitHub takes."""
MOST_TITLE: Final = 255
"""Characters of a title that GitHub takes."""
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


class _Output(msgspec.Struct):
    title: str | None = None
    summary: str | None = None


class _CheckRun(msgspec.Struct):
    id: int
    external_id: str | None = None
    output: _Output = msgspec.field(default_factory=_Output)


async def put_check(api: Api, repository: str, sha: str, *, subject: str, verdict: Verdict) -> None:
    """Have the commit show this verdict on the subject, always `neutral`. Raises a Failure."""
    known = await _known(api, repository, sha, subject)
    output = _output(verdict, annotated=known is None)
    if known is not None and _shows(known, output):
        return
    body = {
        "name": NAME,
        "external_id": subject,
        "status": "completed",
        "conclusion": "neutral",
        "output": output,
    }
    path = repository_path(repository, "check-runs")
    if known is None:
        await api.send("POST", path, body | {"head_sha": sha})
    else:
        await api.send("PATCH", f"{path}/{known.id}", body)


async def _known(api: Api, repository: str, sha: str, subject: str) -> _CheckRun | None:
    """The check run of the subject; None if there is none."""
    runs = await api.pages(
        repository_path(repository, "commits", sha, "check-runs"),
        _CheckRun,
        part="check_runs",
        most=_MOST_RUNS,
        check_name=NAME,
        filter="all",
    )
    return next((run for run in runs if run.external_id == subject), None)


def _shows(run: _CheckRun, output: dict[str, object]) -> bool:
    return (run.output.title, run.output.summary) == (output["title"], output["summary"])


def _output(verdict: Verdict, *, annotated: bool) -> dict[str, object]:
    """What GitHub is sent; an update leaves the annotations out, since it would add them again."""
    output: dict[str, object] = {
        "title": verdict.title[:MOST_TITLE],
        "summary": verdict.summary[:MOST_TEXT],
    }
    if annotated and verdict.annotations:
        output["annotations"] = msgspec.to_builtins(verdict.annotations[:MOST_ANNOTATIONS])
    return output
