"""Read pull requests from files of JSON: REST objects, webhooks, what the gh program prints, and
records that `pullrisk store export` wrote.
"""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.objects import JsonObject, read_objects
from pullrisk.fetch.report import BadLine, FetchReport
from pullrisk.progress import Progress, Task
from pullrisk.pulls.formats import GH_FIELDS, parse_pull
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull, checked_name
from pullrisk.pulls.record_json import is_record
from pullrisk.pulls.store import PullStore

STDIN: Final = "-"
BATCH_PULLS: Final = 2_000
BATCH_BYTES: Final = 16 * 2**20
PARSER: Final = 3
"""Version of the parser, part of the checkpoint: raise it when it reads more of old files."""


class _Source(msgspec.Struct):
    """An open file; `key` is that of its checkpoint, None if it cannot be resumed."""

    name: str
    file: BinaryIO
    key: str | None = None
    identity: dict[str, object] = {}


def fetch_files(
    paths: Sequence[Path | str],
    store: PullStore,
    *,
    progress: Progress,
    skip: bool = False,
    repository: str | None = None,
    names: BotNames = NO_NAMES,
) -> FetchReport:
    """Read files of pull requests into the store; "-" is standard input.

    After a run that was killed or stopped, the next one continues behind the last object written
    (regular files only). `repository` is for objects that do not name their own, `names` are
    accounts that the settings call bots or persons. With `skip` a malformed object is skipped
    and listed; else it raises InputError with file, line and field, when all before it
    are written. Raises StoreError.
    """
    if repository is not None:
        checked_name(repository)
    sizes = [_size(path) for path in paths]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    report = FetchReport()
    parse = partial(parse_pull, repository=repository, names=names)
    with progress.task("reading", total=total, unit="bytes") as task:
        for path in paths:
            with _opened(path) as source:
                report += _Reading(source, store, task, skip, parse).run()
    return report


def read_pulls(
    path: Path | str,
    *,
    repository: str | None = None,
    skipped: Callable[[BadLine], object] | None = None,
    names: BotNames = NO_NAMES,
) -> Iterator[Pull]:
    """The pulls of a file, without direct pushes; "-" is standard input.

    Raises InputError with file, line and field for a malformed one, or hands it to `skipped`.
    """
    with _opened(path) as source:
        for line, data in read_objects(source.file, source.name):
            try:
                pull = parse_pull(data, repository=repository, names=names)
            except ValueError as error:
                if skipped is None:
                    raise _explain(source.name, line, data, error) from error
                skipped(BadLine(source.name, line, str(error)))
            else:
                if not pull.is_push:
                    yield pull


def read_file(path: Path | str) -> Iterator[JsonObject]:
    """The objects of a file as they stand there; "-" is standard input. Raises InputError."""
    with _opened(path) as source:
        yield from read_objects(source.file, source.name)


def _explain(name: str, line: int, data: bytes, error: ValueError) -> InputError:
    hint = "correct it, or skip what cannot be read with --skip-bad-lines"
    if is_record(data):
        hint += "\n  a later version of pullrisk may have written it: pullrisk store export"
    elif data.startswith(b"{") and isinstance(error, msgspec.ValidationError):
        hint += f"\n  expected what `gh api` prints, or: gh pr list --json {GH_FIELDS}"
    return InputError(f"{name}, line {line}: {error}", hint=hint)


class _Reading:
    """Reads one source and writes it in batches, each with its checkpoint."""

    def __init__(
        self,
        source: _Source,
        store: PullStore,
        task: Task,
        skip: bool,
        parse: Callable[[bytes], Pull],
    ) -> None:
        self._source, self._store, self._task = source, store, task
        self._skip, self._parse = skip, parse
        self._done = self._resumed = self._objects_done()
        self._batch: list[Pull] = []
        self._bytes = self._position = 0
        self._started = time.monotonic()
        self.report = FetchReport(resumed=self._resumed)

    def run(self) -> FetchReport:
        """Read to the end. After an InputError, what was read before it is written first."""
        self._task.describe(self._source.name)
        try:
            objects = read_objects(self._source.file, self._source.name)
            for number, (line, data) in enumerate(objects, 1):
                if number > self._resumed:
                    self._read(number, line, data)
        except InputError:
            self._flush()
            raise
        if self._done > self._resumed:
            self._flush()
        self._show_progress()
        return self.report

    def _read(self, number: int, line: int, data: bytes) -> None:
        try:
            self._batch.append(self._parse(data))
        except ValueError as error:
            if not self._skip:
                raise _explain(self._source.name, line, data, error) from error
            bad = BadLine(self._source.name, line, str(error))
            self.report += FetchReport(bad=1, bad_lines=(bad,))
        self._done = number
        self._bytes += len(data)
        if len(self._batch) >= BATCH_PULLS or self._bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        checkpoint = None
        if self._source.key is not None:
            checkpoint = (self._source.key, {**self._source.identity, "objects": self._done})
        pulls = [pull for pull in self._batch if not pull.is_push]
        if len(pulls) < len(self._batch):
            self._store.upsert(pull for pull in self._batch if pull.is_push)
        written = self._store.upsert(pulls, checkpoint=checkpoint)
        self.report += FetchReport(read=len(pulls), written=written)
        self._show_progress()
        self._batch = []
        self._bytes = 0

    def _show_progress(self) -> None:
        if self._source.key is None:
            self._task.advance(self._bytes)
        else:
            position = self._source.file.tell()
            self._task.advance(position - self._position)
            self._position = position
        rate = self.report.read / max(time.monotonic() - self._started, 1e-3)
        self._task.describe(f"{self._source.name} ({rate:,.0f} pulls/s)")

    def _objects_done(self) -> int:
        if self._source.key is None:
            return 0
        saved = self._store.checkpoint(self._source.key) or {}
        objects = saved.pop("objects", 0)
        return objects if isinstance(objects, int) and saved == self._source.identity else 0


def _size(path: Path | str) -> int | None:
    """The size in bytes, None for a stream. Raises InputError if it cannot be read."""
    if path == STDIN:
        return None
    try:
        status = Path(path).stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a folder", hint=f"name its files: {path}/*.jsonl.gz")
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextmanager
def _opened(path: Path | str) -> Iterator[_Source]:
    if path == STDIN:
        if sys.stdin is None:
            raise InputError("standard input is closed")
        yield _Source("standard input", sys.stdin.buffer)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        if not file.seekable():
            yield _Source(str(path), file)
            return
        yield _Source(str(path), file, _key(Path(path)), _identity(Path(path), file))


def _key(path: Path) -> str:
    """The key of the file's checkpoint; bytes of its name that are not UTF-8 stand as \\xNN."""
    return f"file:{os.fsencode(path.resolve()).decode(errors='backslashreplace')}"


def _identity(path: Path, file: BinaryIO) -> dict[str, object]:
    """What identifies the content of the file, without reading all of it."""
    status = path.stat()
    prefix = file.read(2**16)
    file.seek(0)
    return {
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "prefix": blake2b(prefix, digest_size=16).hexdigest(),
        "parser": PARSER,
    }
