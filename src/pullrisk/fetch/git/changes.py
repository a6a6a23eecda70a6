"""The files that commits change, read by several git programs at once.

An object that cannot be read costs the line counts of its file, not the run: git stops at it and
names it, so the commit is read once more without the paths that have it.
"""

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.job import Job
from pullrisk.fetch.git.log import TokenReader
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import ChangedFile

BATCH: Final = 200
"""Commits that one git program reads; another takes the next ones meanwhile."""
_MOST_PROGRAMS: Final = 4
_MOST_TRIES: Final = 20
_OBJECT: Final = re.compile(rb"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")
_LOG: Final = (
    *("--no-walk=unsorted", "--stdin", "--first-parent", "-m", "--format=%x01%H"),
    *("--no-ext-diff", "--no-textconv", "--diff-algorithm=myers", "--no-relative"),
    *("--submodule=short", "--ignore-submodules=none", "-O/dev/null"),
)
_COUNTED: Final = ("--raw", "--numstat", "-M")
_LISTED: Final = ("--raw", "--no-renames")


class Changes(msgspec.Struct, frozen=True):
    """What a commit changes from its first parent.

    `files` is None if its trees cannot be read; `unreadable` says how many files lack their line
    counts, or their commit its files, because of objects that cannot be read.
    """

    sha: str
    files: tuple[ChangedFile, ...] | None
    unreadable: int = 0


def read_changes(git: Git, shas: Sequence[str], *, count_lines: bool) -> Iterator[Changes]:
    """The changes of each commit, in the order of `shas`, but for `git.excluded`.

    Without `count_lines` (a partial clone has no file contents) files have no line counts, and
    a rename is a removed and an added file.
    """
    options = _COUNTED if count_lines else _LISTED
    batches = deque(shas[start : start + BATCH] for start in range(0, len(shas), BATCH))
    with ExitStack() as stack:
        running: deque[tuple[Sequence[str], Job]] = deque()
        while batches or running:
            while batches and len(running) < _programs():
                batch = batches.popleft()
                running.append((batch, stack.enter_context(_start(git, options, batch))))
            batch, job = running.popleft()
            for changes in _read_batch(git, options, batch, job):
                yield without_excluded(git, changes)
            job.close()


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


def _start(
    git: Git, options: Sequence[str], shas: Sequence[str], without: Sequence[bytes] = ()
) -> Job:
    paths = [b":(top,exclude,literal)" + path for path in without]
    arguments = (*_LOG, *options, "--", *map(os.fsdecode, paths))
    return git.start_log(*arguments, stdin="\n".join(shas).encode())


def _read_batch(
    git: Git, options: Sequence[str], batch: Sequence[str], job: Job
) -> Iterator[Changes]:
    """The changes of a batch; a commit at which git stops is read alone."""
    ended_well = job.wait()
    done = _parsed(git, job)
    if not ended_well:
        del done[-1:]  # what was written of the last one may not be all
    yield from done
    rest = batch[len(done) :]
    if ended_well or not rest:
        return
    yield _read_alone(git, options, rest[0])
    if len(rest) > 1:
        with _start(git, options, rest[1:]) as following:
            yield from _read_batch(git, options, rest[1:], following)


def _read_alone(git: Git, options: Sequence[str], sha: str) -> Changes:
    """One commit without the paths whose objects cannot be read."""
    left_out: dict[bytes, ChangedFile] = {}
    for _ in range(_MOST_TRIES):
        with _start(git, options, [sha], tuple(left_out)) as job:
            if job.wait():
                read = [changes.files or () for changes in _parsed(git, job)]
                files = (*(read[0] if read else ()), *left_out.values())
                return Changes(sha, files, len(left_out))
            found = paths_of(git, sha, job.errors())
        if not found.keys() - left_out.keys():
            break
        left_out |= found
    with _start(git, _LISTED, [sha]) as job:
        if not job.wait():
            return Changes(sha, None, 1)
        listed = _parsed(git, job)[0].files or ()
        return Changes(sha, listed, max(1, len(listed)))


def paths_of(git: Git, sha: str, errors: bytes) -> dict[bytes, ChangedFile]:
    """The changed paths with an object, before or after, that git's errors name; empty if none."""
    objects = _OBJECT.findall(errors)
    found: dict[bytes, ChangedFile] = {}
    with _start(git, (*_LISTED, "--no-abbrev"), [sha]) as job:
        if not job.wait():
            return found
        tokens = list(job.tokens())
    files = {file.path: file for changes in _parse(git, tokens) for file in changes.files or ()}
    for entry, path in pairwise(tokens):
        if entry.lstrip(b"\n").startswith(b":") and any(name in entry for name in objects):
            found[path] = files[path.decode(errors="backslashreplace")]
    return found


def _parsed(git: Git, job: Job) -> list[Changes]:
    return list(_parse(git, job.tokens()))


def _parse(git: Git, tokens: Iterable[bytes]) -> Iterator[Changes]:
    """The changes in git's output, up to where it breaks off."""
    reader = TokenReader(git, tokens)
    while reader.token is not None:
        token = reader.advance()
        if token.startswith(b"\x01"):
            sha = token[1:].decode()
            try:
                yield Changes(sha, reader.files())
            except (InputError, ValueError):  # the output ends within a file
                yield Changes(sha, None)
                return
        elif token:
            reader.fail()
