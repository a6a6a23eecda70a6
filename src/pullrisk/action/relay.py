"""Posts for a fork: the result of a run without rights, told by a run that has them.

The artifact is a stranger's. Only what fits the result's form, its bounds and the pull of the
run's own head is posted, and every address in it that leads elsewhere is dropped.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.action.event import FinishedRun
from pullrisk.action.runner import read_bounded
from pullrisk.brief.links import readdressed
from pullrisk.errors import InputError
from pullrisk.publish import result
from pullrisk.publish.api import Api, repository_path
from pullrisk.publish.result import Result

_MOST_PULLS: Final = 100
"""Open pulls of one branch that are looked at."""


class _Branch(msgspec.Struct):
    ref: str
    sha: str


class OpenPull(msgspec.Struct):
    """An open pull as the API lists it."""

    number: int
    head: _Branch
    base: _Branch


def read_artifact(folder: Path, run: FinishedRun, *, server: str) -> Result:
    """The result in a folder, for the repository of the run. Raises InputError."""
    path = folder / result.FILE
    if path.is_symlink():
        raise InputError(f"{path} is a link")
    received = result.decode(read_bounded(path, result.MOST_BYTES))
    if received.repository != run.repository or received.head_sha != run.head_sha:
        raise InputError("the result is not that of the run: another repository or commit")
    if received.brief is not None:
        own = f"{server.rstrip('/')}/{run.repository}/"
        brief = readdressed(received.brief, lambda url: url if url.startswith(own) else None)
        received = replace(received, brief=brief)
    return received


async def find_pull(api: Api, run: FinishedRun) -> OpenPull | None:
    """The open pull whose head the run was of; None if it is gone or was pushed to since."""
    owner = run.head_repository.partition("/")[0]
    pulls = await api.pages(
        repository_path(run.repository, "pulls"),
        OpenPull,
        most=_MOST_PULLS,
        state="open",
        head=f"{owner}:{run.head_branch}",
    )
    return next((pull for pull in pulls if pull.head.sha == run.head_sha), None)


def for_pull(received: Result, pull: OpenPull) -> Result:
    """The result with the number that GitHub says, whatever it says itself."""
    brief = None if received.brief is None else replace(received.brief, number=pull.number)
    return replace(received, number=pull.number, brief=brief)
