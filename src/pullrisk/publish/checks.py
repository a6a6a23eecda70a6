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


class CheckOutput(msgspec.Struct, frozen=True, kw_only=True):
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


async def put_check(
    api: Api, repository: str, sha: str, *, subject: str, output: CheckOutput
) -> None:
    """Have the commit show this output on the subject, always `neutral`. Raises a Failure."""
    known = await _known(api, repository, sha, subject)
    sent = _to_send(output, annotated=known is None)
    if known is not None and _shows(known, sent):
        return
    body = {
        "name": NAME,
        "external_id": subject,
        "status": "completed",
        "conclusion": "neutral",
        "output": sent,
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


def _shows(run: _CheckRun, sent: dict[str, object]) -> bool:
    return (run.output.title, run.output.summary) == (sent["title"], sent["summary"])


def _to_send(output: CheckOutput, *, annotated: bool) -> dict[str, object]:
    """What GitHub is sent; an update leaves the annotations out, since it would add them again."""
    sent: dict[str, object] = {
        "title": output.title[:MOST_TITLE],
        "summary": output.summary[:MOST_TEXT],
    }
    if annotated and output.annotations:
        sent["annotations"] = msgspec.to_builtins(output.annotations[:MOST_ANNOTATIONS])
    return sent
