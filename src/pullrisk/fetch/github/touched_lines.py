"""Who wrote the lines that an open pull request touches, where there is no clone.

GitHub's REST API sends the patches of its files, GraphQL the blame of a file as of a commit. Only
files whose lines are rewritten, or inserted beside others, are asked for: one call and one point
each. What GitHub does not tell stays unknown.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from pullrisk.fetch.git.line_history import LineHistory
from pullrisk.fetch.git.open_lines import changed_hunk
from pullrisk.fetch.git.patches import FilePatch, Hunk, Patch
from pullrisk.fetch.github.documents import BLAME, BlameRange
from pullrisk.fetch.github.failures import Failure
from pullrisk.fetch.github.graphql import Data, Document
from pullrisk.pulls.code import Language, LineCounter, language_of
from pullrisk.pulls.lines import ChangedHunk
from pullrisk.pulls.record import Pull, push_number
from pullrisk.pulls.rest_shapes import RestFile

MOST_BLAMED: Final = 20
"""Files whose blame is asked for; the origins of a pull with more are not known."""
LEAST_LEFT: Final = 500
"""Points of the hour that are left to others."""
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NEW: Final = ("added", "copied")
D = TypeVar("D", bound=Data)


class TouchedLines(NamedTuple):
    """A pull with the origins of its lines, and its hunks by path; none if GitHub does not tell."""

    pull: Pull
    hunks: Mapping[str, Sequence[ChangedHunk]]


class GraphQLApi(Protocol):
    """Whatever sends GraphQL documents."""

    async def query(self, document: Document[D], variables: Mapping[str, object]) -> D:
        """The answer's data. Raises a Failure."""


async def with_origins(
    api: GraphQLApi,
    pull: Pull,
    files: Sequence[RestFile],
    *,
    repository: str,
    commit: str,
    numbers: Mapping[str, int],
) -> TouchedLines:
    """The pull with the origins of the lines that it touches, if GitHub tells all of them.

    `files` are its files with their patches, as of the `commit` where it left its branch;
    `repository` is GitHub's name, `numbers` the stored pulls and pushes by their commits.
    """
    unknown = TouchedLines(pull, {})
    if pull.lines is None:
        return unknown
    patches = [patch for patch in map(_patch_of, files) if patch is not None]
    touched = [patch for patch in patches if patch.hunks and patch.previous is not None]
    if len(touched) > MOST_BLAMED:
        return unknown
    history = LineHistory()
    owner, _, name = repository.partition("/")
    for patch in touched:
        variables = {"owner": owner, "name": name, "commit": commit, "path": patch.previous}
        ranges = await _blame(api, variables)
        if not ranges:
            return unknown
        history.files[str(patch.previous)] = _lines(ranges, repository, numbers, history)
    hunks = {patch.path: _hunks_of(patch, history) for patch in patches if patch.path is not None}
    origins = history.observe(Patch(commit, patches, pull.lines), pull.number)
    places = {file.path: place for place, file in enumerate(pull.files or ())}
    return TouchedLines(replace(pull, lines=history.origins(origins, places, pull.lines)), hunks)


def _hunks_of(patch: FilePatch, history: LineHistory) -> list[ChangedHunk]:
    lines = history.files.get(patch.previous or "", array("I"))
    return [changed_hunk(hunk, patch, lines, history.numbers) for hunk in patch.hunks]


async def _blame(api: GraphQLApi, variables: Mapping[str, object]) -> Sequence[BlameRange]:
    """The ranges of a file; none if GitHub refuses, does not know, or little is left to ask."""
    try:
        data = await api.query(BLAME, variables)
    except Failure:
        return ()
    if data.rate_limit is not None and data.rate_limit.remaining < LEAST_LEFT:
        return ()
    blamed = data.repository and data.repository.object
    return (blamed.blame.ranges or ()) if blamed and blamed.blame else ()


def _lines(
    ranges: Sequence[BlameRange], repository: str, numbers: Mapping[str, int], history: LineHistory
) -> "array[int]":
    """The file's lines by the positions of their origins, which are added to the history."""
    lines = array("I")
    for blamed in ranges:
        history.numbers.append(_number(blamed, repository, numbers))
        lines.extend([0] * (blamed.starting_line - 1 - len(lines)))
        lines.extend([len(history.numbers) - 1] * (blamed.ending_line - blamed.starting_line + 1))
    return lines


def _number(blamed: BlameRange, repository: str, numbers: Mapping[str, int]) -> int:
    """Of the pull that the commit is known to be of, here or to GitHub, else of a push."""
    commit = blamed.commit
    if commit.oid in numbers:
        return numbers[commit.oid]
    pulls = commit.associated_pull_requests
    for pull in (pulls and pulls.nodes) or ():
        named = pull and pull.repository and pull.repository.name_with_owner
        if pull and pull.merged and (named or "").lower() == repository.lower():
            return pull.number
    return push_number(commit.oid)


def _patch_of(file: RestFile) -> FilePatch | None:
    """The hunks of a source file; None for others, and without a patch."""
    language = language_of(file.filename)
    if language is None or file.patch is None:
        return None
    before = file.previous_filename or file.filename
    return FilePatch(
        path=None if file.status == "removed" else file.filename,
        previous=None if file.status in _NEW else before,
        status=file.status or "modified",
        hunks=list(_hunks(file.patch, language)),
        counted=True,
    )


def _hunks(text: str, language: Language) -> Iterator[Hunk]:
    """The changes of a patch without the lines around them, as `git diff -U0` has them."""
    counter = LineCounter()
    old = new = added = 0
    removed: list[bytes] = []

    def change() -> Iterator[Hunk]:
        nonlocal added
        if removed or added:
            old_start = old - len(removed) if removed else old - 1
            new_start = new - added if added else new - 1
            code = counter.remove(b"".join(removed), language)
            yield Hunk(old_start, len(removed), new_start, added, code, 0)
            removed.clear()
            added = 0

    for line in text.encode(errors="replace").split(b"\n"):
        sign, header = line[:1], _HUNK.match(line)
        if sign == b"-":
            removed.append(line + b"\n")
            old += 1
        elif sign == b"+":
            added += 1
            new += 1
        elif sign != b"\\":
            yield from change()
            old, new = old + 1, new + 1
            if header is not None:
                # The start of an empty side is the line before it.
                old = int(header[1]) + (header[2] == b"0")
                new = int(header[3]) + (header[4] == b"0")
    yield from change()
