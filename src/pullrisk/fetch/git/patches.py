"""What commits change line by line: hunks, and counts of code, without the code itself.

One reading gives both the lines and the counts of a commit's files, by the algorithm (Myers) of
`git blame` and of GitHub's counts.

An object that cannot be read costs its file, not the run: git stops at it and names it, so the
commit is read once more without the paths that have it.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.git.changes import STATUS, Changes, paths_of, read_changes
from pullrisk.fetch.git.patch_stream import BrokenPatchError, PatchStream
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.code import LANGUAGE_EXTENSIONS, Language, LineCounter, language_of
from pullrisk.pulls.lines import ChangedLines
from pullrisk.pulls.record import ChangedFile

_MOST_TRIES: Final = 20
_LOG: Final = ("--no-walk=unsorted", "--stdin", "--first-parent", "-m", "--format=%x01%H")
_DIFF: Final = (
    *("--raw", "-p", "-U0", "--inter-hunk-context=0", "-M", "--diff-algorithm=myers"),
    *("--indent-heuristic", "--no-ext-diff", "--no-textconv", "--no-relative", "-O/dev/null"),
    *("--ignore-submodules=none", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--no-abbrev", "--full-index"),
    *("--no-color-moved", "--ws-error-highlight=none"),
)


_SOURCES: Final = tuple(f":(top,icase)*.{extension}" for extension in LANGUAGE_EXTENSIONS)
_FROM_ANOTHER: Final = ("renamed", "copied")


class Hunk(NamedTuple):
    """Lines that are replaced by others; the starts are as git prints them.

    `code` has a byte for each removed line, 1 for code; `added_code` are the code lines among
    the added ones. In a file that is not `counted` both are all 0.
    """

    old_start: int
    removed: int
    new_start: int
    added: int
    code: bytes
    added_code: int


class FilePatch(msgspec.Struct):
    """What a commit does to a file. `path` is None if it removes it, `previous` if it is new.

    `status` is the word of GitHub's API. `binary` is also true where the contents cannot be read;
    `counted` is a source file of a known language: no test, nothing vendored, generated or
    excluded. A file that becomes a link, or the other way round, is one that is removed and one
    that is new, both `changed`. A submodule has one line.
    """

    path: str | None
    previous: str | None
    status: str = "modified"
    binary: bool = False
    hunks: list[Hunk] = msgspec.field(default_factory=list)
    counted: bool = False

    @property
    def name(self) -> str:
        """The path after the commit, or that of a removed file."""
        return self.path or self.previous or ""


class Patch(msgspec.Struct):
    """What a commit changes from its first parent. `counts` has no origins.

    `unreadable` is the number of files, or 1 for the whole commit, that cannot be read.
    """

    sha: str
    files: list[FilePatch]
    counts: ChangedLines
    unreadable: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether the commit's trees cannot be read, so that all lines may have moved."""
        return self.unreadable > 0 and not self.files

    def changes(self) -> Changes:
        """The files with their line counts."""
        if self.is_unknown:
            return Changes(self.sha, None, self.unreadable)
        changed: dict[str, ChangedFile] = {}
        for file in self.files:
            removed = changed.get(file.name)  # it became a link, or was one
            new = _changed_file(file)
            changed[file.name] = new if removed is None else _sum(removed, new)
        return Changes(self.sha, tuple(changed.values()), self.unreadable)


def _changed_file(file: FilePatch) -> ChangedFile:
    old = file.previous if file.status in _FROM_ANOTHER else None
    if file.binary:
        return ChangedFile(file.name, file.status, previous_path=old)
    added = sum([hunk.added for hunk in file.hunks])
    removed = sum([hunk.removed for hunk in file.hunks])
    return ChangedFile(file.name, file.status, added, removed, old)


def _sum(removed: ChangedFile, new: ChangedFile) -> ChangedFile:
    files = (removed, new)
    if any(file.additions is None for file in files):
        return ChangedFile(removed.path, removed.status)
    additions = sum([file.additions or 0 for file in files])
    deletions = sum([file.deletions or 0 for file in files])
    return ChangedFile(removed.path, removed.status, additions, deletions)


def read_patches(git: Git, shas: Sequence[str], *, only_moves: bool = False) -> Iterator[Patch]:
    """The patches of the commits, in this order; without submodules.

    With `only_moves` they have what moves lines of source files, and nothing is counted: that
    takes a quarter of the time. The clone must have file contents (not `git.is_partial()`).
    Raises InputError if git's output is not understood.
    """
    done = 0
    while done < len(shas):
        try:
            for patch in _read(git, shas[done:], only_moves=only_moves):
                while patch.sha != shas[done] and only_moves:
                    yield _empty(shas[done])
                    done += 1
                done += 1
                yield patch
            yield from map(_empty, shas[done:])
            done = len(shas)
        except _StoppedError:
            yield _read_alone(git, shas[done], only_moves=only_moves)
            done += 1


def _empty(sha: str) -> Patch:
    return Patch(sha, [], ChangedLines())


def read_difference(git: Git, old: str, new: str, paths: Sequence[str] = ()) -> Patch | None:
    """What the commit `new` has changed from `old`; None if some of it cannot be read.

    With `paths` these files alone are looked at, and none counts as renamed from another.

    Raises InputError if git's output is not understood.
    """
    pathspecs = [f":(top,literal){path}" for path in paths]
    with git.stream_diff(*_DIFF, old, new, "--", *pathspecs) as log:
        stream = PatchStream(log, excluded=git.excluded)
        try:
            patch = _changes(stream, new)
            is_whole = stream.at_end()
        except BrokenPatchError:
            is_whole = False
        if not stream.ended:
            raise _not_understood(git)
        return patch if log.succeeded() and is_whole else None


def list_difference(git: Git, old: str, new: str) -> Patch | None:
    """The files that `new` has changed from `old`, none of which has contents; None if unreadable.

    Their contents are not asked for: a file that was renamed is a removed and an added one.
    """
    options = ("--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none", "-O/dev/null")
    with git.stream_diff(*options, old, new, "--") as log:
        stream = PatchStream(log, excluded=git.excluded)
        try:
            files = [file for file, _ in _entries(stream)]
        except BrokenPatchError:
            return None
        if not log.succeeded():
            return None
    for file in files:
        file.binary = True
    return Patch(new, files, ChangedLines(), max(1, len(files)))


class _StoppedError(Exception):
    """Git ended early; `errors` is what it said."""

    def __init__(self, errors: bytes) -> None:
        super().__init__(errors)
        self.errors = errors


def _read(
    git: Git,
    shas: Sequence[str],
    without: Sequence[bytes] = (),
    *,
    only_moves: bool = False,
) -> Iterator[Patch]:
    """The patches, without some paths. Raises _StoppedError behind the last one that is whole."""
    paths = [os.fsdecode(b":(top,exclude,literal)" + path) for path in without]
    paths += _SOURCES if only_moves else ()
    with git.stream_log(*_LOG, *_DIFF, "--", *paths, stdin="\n".join(shas).encode()) as log:
        stream = PatchStream(log, excluded=git.excluded)
        number = 0
        try:
            while not stream.at_end():
                patch = _patch(stream, is_counted=not only_moves)
                if not stream.at_end() or log.succeeded():
                    yield patch
                    number += 1
        except BrokenPatchError:
            if not stream.ended or log.succeeded():
                raise _not_understood(git) from None
        if not log.succeeded():
            raise _StoppedError(log.errors())
        # Git omits a commit of which nothing is left.
        if number != len(shas) and not paths:
            raise _not_understood(git)


def _not_understood(git: Git) -> InputError:
    return InputError(
        f"{git.path}: the patches of git log cannot be understood",
        hint="please report this, with the output of: git --version",
    )


def _read_alone(git: Git, sha: str, *, only_moves: bool) -> Patch:
    """One commit; paths whose objects cannot be read have no contents."""
    left_out: dict[bytes, ChangedFile] = {}
    for _ in range(_MOST_TRIES):
        try:
            read = list(_read(git, [sha], tuple(left_out), only_moves=only_moves))
        except _StoppedError as stopped:
            damaged = paths_of(git, sha, stopped.errors)
            if not damaged.keys() - left_out.keys():
                break
            left_out |= damaged
        else:
            patch = read[0] if read else _empty(sha)
            patch.files += map(_without_contents, left_out.values())
            patch.unreadable = len(left_out)
            return patch
    (changes,) = read_changes(git, [sha])
    files = [_without_contents(file) for file in changes.files or ()]
    return Patch(sha, files, ChangedLines(), max(1, len(files)))


def _without_contents(file: ChangedFile) -> FilePatch:
    return FilePatch(
        path=None if file.status == "removed" else file.path,
        previous=None if file.status == "added" else file.path,
        status=file.status,
        binary=True,
    )


def _patch(stream: PatchStream, *, is_counted: bool) -> Patch:
    """One commit of a log: its id and its changes."""
    sha = stream.token().lstrip(b"\x00\n")
    if not sha.startswith(b"\x01"):
        raise BrokenPatchError
    return _changes(stream, sha[1:].decode(), is_counted=is_counted)


def _changes(stream: PatchStream, sha: str, *, is_counted: bool = True) -> Patch:
    """The entries of files, and their patches in the same order."""
    entries = list(_entries(stream))
    counter = LineCounter()
    if stream.next_is(b"\x00"):
        stream.skip(1)
    for file, contents in entries:
        if is_counted and not stream.excluded.match(file.name):
            language = language_of(file.name)
        else:
            language = None
        _read_file(stream, file, contents, counter, language)
    return Patch(sha, [file for file, _ in entries], counter.counts())


def _entries(stream: PatchStream) -> Iterator[tuple[FilePatch, bytes]]:
    """The files of a commit, without their patches, and the contents before and after of each."""
    while stream.next_is(b":") or stream.next_is(b"\n"):
        _, _, old, new, letter = stream.token().split(b" ")
        status = STATUS.get(letter[:1].decode(), "changed")
        path = stream.token().decode(errors="backslashreplace")
        contents = b"%s..%s" % (old, new) if old != new else b""
        if status in _FROM_ANOTHER:
            previous, path = path, stream.token().decode(errors="backslashreplace")
            yield FilePatch(path, previous, status), contents
        elif status == "changed":
            nothing = b"0" * len(old)
            yield FilePatch(None, path, status), b"%s..%s" % (old, nothing)
            yield FilePatch(path, None, status), b"%s..%s" % (nothing, new)
        else:
            before = None if status == "added" else path
            yield FilePatch(None if status == "removed" else path, before, status), contents


def _read_file(
    stream: PatchStream,
    file: FilePatch,
    contents: bytes,
    counter: LineCounter,
    language: Language | None,
) -> None:
    """Read the patch of one file into `file`; one whose lines are all the same has none."""
    file.counted = language is not None
    binary = stream.file_header(contents)
    if binary is None:
        return
    file.binary = binary
    hunks = file.hunks
    while stream.next_is(b"@@ "):
        hunks.append(_hunk(stream, language, counter))


def _hunk(stream: PatchStream, language: Language | None, counter: LineCounter) -> Hunk:
    old_start, removed, new_start, added = stream.hunk_header()
    old, new = stream.side(b"-", removed), stream.side(b"+", added)
    if language is None:
        for _ in old:
            pass
        for _ in new:
            pass
        return Hunk(old_start, removed, new_start, added, bytes(removed), 0)
    counter.count_hunk(removed=removed, added=added)
    code = b"".join([counter.remove(text, language) for text in old])
    added_code = sum([counter.add(text, language) for text in new])
    return Hunk(old_start, removed, new_start, added, code, added_code)
