"""Which files commits change, without the changes in them: read by several git programs at once."""

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.process import GitProcess
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import ChangedFile

BATCH: Final = 200
"""Commits that one git program reads; another takes the next ones meanwhile."""
STATUS: Final = {
    "A": "added",
    "C": "copied",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "T": "changed",
}
"""What GitHub's API calls a change that git names by a letter."""
_MOST_PROGRAMS: Final = 4
_OBJECT: Final = re.compile(rb"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")
_LOG: Final = (
    *("--no-walk=unsorted", "--stdin", "--first-parent", "-m", "--format=%x01%H"),
    *("--no-ext-diff", "--no-textconv", "--no-relative", "--raw", "--no-renames", "--no-abbrev"),
    *("--ignore-submodules=none", "-O/dev/null"),
)


class Changes(msgspec.Struct, frozen=True):
    """What a commit changes from its first parent.

    `files` is None if its trees cannot be read; `unreadable` says how many files lack their line
    counts, or their commit its files, because of objects that cannot be read.
    """

    sha: str
    files: tuple[ChangedFile, ...] | None
    unreadable: int = 0


def read_changes(git: Git, shas: Sequence[str]) -> Iterator[Changes]:
    """The changes of each commit, in the order of `shas`, but for `git.excluded`.

    Files have no line counts, and a rename is a removed and an added file: contents are not read,
    which a partial clone does not have.
    """
    batches = deque(shas[start : start + BATCH] for start in range(0, len(shas), BATCH))
    with ExitStack() as stack:
        running: deque[tuple[Sequence[str], GitProcess]] = deque()
        while batches or running:
            while batches and len(running) < _programs():
                batch = batches.popleft()
                running.append((batch, stack.enter_context(_start(git, batch))))
            batch, process = running.popleft()
            for changes in _read_batch(git, batch, process):
                yield without_excluded(git, changes)
            process.close()


def without_excluded(git: Git, changes: Changes) -> Changes:
    """The changes but for the files that count nowhere."""
    if not git.excluded or changes.files is None:
        return changes
    files = tuple(file for file in changes.files if not git.excluded.match(file.path))
    return replace(changes, files=files)


def _programs() -> int:
    known = hasattr(os, "sched_getaffinity")  # on Linux
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return min(_MOST_PROGRAMS, cores)


def _start(git: Git, shas: Sequence[str]) -> GitProcess:
    return git.start_log(*_LOG, "--", stdin="\n".join(shas).encode())


def _read_batch(git: Git, batch: Sequence[str], process: GitProcess) -> Iterator[Changes]:
    """The changes of a batch; a commit at which git stops is read alone."""
    succeeded = process.succeeded()
    done = list(_parse(git, process.tokens()))
    if not succeeded:
        del done[-1:]  # what was written of the last one may not be all
    yield from done
    rest = batch[len(done) :]
    if succeeded or not rest:
        return
    with _start(git, rest[:1]) as alone:
        unreadable = Changes(rest[0], None, 1)
        yield next(_parse(git, alone.tokens()), unreadable) if alone.succeeded() else unreadable
    if len(rest) > 1:
        with _start(git, rest[1:]) as following:
            yield from _read_batch(git, rest[1:], following)


def paths_of(git: Git, sha: str, errors: bytes) -> dict[bytes, ChangedFile]:
    """The changed paths with an object, before or after, that git's errors name; empty if none."""
    objects = _OBJECT.findall(errors)
    with _start(git, [sha]) as process:
        if not process.succeeded():
            return {}
        tokens = list(process.tokens())
    return {
        path: _file(entry, path)
        for entry, path in pairwise(tokens)
        if entry.lstrip(b"\n").startswith(b":") and any(name in entry for name in objects)
    }


def _parse(git: Git, tokens: Iterator[bytes]) -> Iterator[Changes]:
    """The changes in git's output, up to where it breaks off."""
    sha, files = None, list[ChangedFile]()
    for token in tokens:
        if token.startswith(b"\x01"):
            if sha is not None:
                yield Changes(sha, tuple(files))
            sha, files = token[1:].decode(), []
        elif token.lstrip(b"\n").startswith(b":") and sha is not None:
            path = next(tokens, None)
            if path is None:  # the output ends within a file
                break
            files.append(_file(token, path))
        elif token:
            raise InputError(
                f"{git.path}: git log's output cannot be understood at {token!r:.80}",
                hint="please report this, with the output of: git --version",
            )
    if sha is not None:
        yield Changes(sha, tuple(files))


def _file(entry: bytes, path: bytes) -> ChangedFile:
    """The file of a raw entry, whose last letter says what happened to it."""
    status = STATUS.get(entry[-1:].decode(errors="replace"), "changed")
    return ChangedFile(path.decode(errors="backslashreplace"), status)
