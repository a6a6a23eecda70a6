"""Read pull requests from files: GitHub's REST objects, one a line, plain or gzipped."""

import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.lines import read_lines
from pullrisk.fetch.names import checked_name
from pullrisk.fetch.report import BadLine, FetchReport
from pullrisk.progress import Progress, Task
from pullrisk.pulls.record import Pull, parse_rest
from pullrisk.pulls.store import PullStore

OnError = Literal["stop", "skip"]
STDIN: Final = "-"
BATCH_PULLS: Final = 2_000
BATCH_BYTES: Final = 16 * 2**20
PARSER: Final = 2
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
    on_error: OnError = "stop",
    repository: str | None = None,
) -> FetchReport:
    """Read files of REST objects into the store; "-" is standard input.

    After a run that was killed or stopped, the next one continues behind the last line written
    (regular files only). `repository` is for objects that do not name their own. A malformed
    line is skipped and listed if `on_error` is "skip"; else it raises InputError with file, line
    and field, when all lines before it are written. Raises StoreError.
    """
    if repository is not None:
        checked_name(repository)
    sizes = [_size(path) for path in paths]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    report = FetchReport()
    with progress.task("reading", total=total, unit="bytes") as task:
        for path in paths:
            with _opened(path) as source:
                report += _Reading(source, store, task, on_error, repository).run()
    return report


class _Reading:
    """Reads one source and writes it in batches, each with its checkpoint."""

    def __init__(
        self,
        source: _Source,
        store: PullStore,
        task: Task,
        on_error: OnError,
        repository: str | None,
    ) -> None:
        self._source, self._store, self._task = source, store, task
        self._skip = on_error == "skip"
        self._repository = repository
        self._done = self._resumed = self._lines_done()
        self._batch: list[Pull] = []
        self._bytes = self._position = 0
        self._started = time.monotonic()
        self.report = FetchReport(resumed=self._resumed)

    def run(self) -> FetchReport:
        """Read to the end. After an InputError, what was read before it is written first."""
        self._task.describe(self._source.name)
        try:
            for number, line in enumerate(read_lines(self._source.file, self._source.name), 1):
                if number > self._resumed:
                    self._read_line(number, line)
        except InputError:
            self._flush()
            raise
        if self._done > self._resumed:
            self._flush()
        self._show_progress()
        return self.report

    def _read_line(self, number: int, line: bytes) -> None:
        if line and not line.isspace():
            try:
                self._batch.append(parse_rest(line, repository=self._repository))
            except ValueError as error:
                self._report_bad_line(number, line, str(error))
        self._done = number
        self._bytes += len(line)
        if len(self._batch) >= BATCH_PULLS or self._bytes >= BATCH_BYTES:
            self._flush()

    def _report_bad_line(self, number: int, line: bytes, reason: str) -> None:
        if not self._skip:
            hint = "correct the line, or skip such lines with --skip-bad-lines"
            if line.lstrip().startswith(b"[") or line.strip() == b"{":
                hint = "write one pull request a line, for instance with: jq -c '.[]'"
            raise InputError(f"{self._source.name}, line {number}: {reason}", hint=hint)
        bad = BadLine(self._source.name, number, reason)
        self.report += FetchReport(bad=1, bad_lines=(bad,))

    def _flush(self) -> None:
        checkpoint = None
        if self._source.key is not None:
            checkpoint = (self._source.key, {**self._source.identity, "lines": self._done})
        written = self._store.upsert(self._batch, checkpoint=checkpoint)
        self.report += FetchReport(read=len(self._batch), written=written)
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

    def _lines_done(self) -> int:
        if self._source.key is None:
            return 0
        saved = self._store.checkpoint(self._source.key) or {}
        lines = saved.pop("lines", 0)
        return lines if isinstance(lines, int) and saved == self._source.identity else 0


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
        yield _Source(str(path), file, f"file:{Path(path).resolve()}", _identity(Path(path), file))


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
