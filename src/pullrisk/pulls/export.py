"""Write the records of a pull store to a file, from which `pullrisk fetch --file` reads them."""

import gzip
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from pullrisk import atomic
from pullrisk.errors import InputError
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.record_json import encode_line
from pullrisk.pulls.store import PullStore, RepositorySummary

STDOUT: Final = "-"
GZIPPED: Final = ".gz"
"""Files whose names end so are gzipped."""


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: pulls, open ones too, and direct pushes of so many repositories."""

    repositories: int
    pulls: int
    pushes: int


def export_store(
    source: PullStore,
    target: Path | str,
    *,
    repositories: Sequence[str] = (),
    progress: Progress | None = None,
) -> ExportReport:
    """Write every record of these repositories, of all unless named; "-" is standard output.

    Each repository's events stand in their order, its open pulls behind them. Raises InputError
    if the store has no repository of that name, or the file cannot be written.
    """
    chosen = _chosen(source.repositories(), repositories)
    pulls, pushes = (
        sum(summary.pulls for summary in chosen),
        sum(summary.pushes for summary in chosen),
    )
    with (progress or Silent()).task("Writing", total=pulls + pushes, unit="pulls") as task:

        def records() -> Iterator[Pull]:
            for summary in chosen:
                task.describe(f"Writing {summary.repository}")
                for pull in records_of(source, summary.repository):
                    yield pull
                    task.advance()

        write_records(target, records())
    return ExportReport(repositories=len(chosen), pulls=pulls, pushes=pushes)


def records_of(source: PullStore, repository: str) -> Iterator[Pull]:
    """All that a store has of a repository: events in their order, then open pulls."""
    yield from source.events(repository)
    yield from (pull for pull in source.pulls(repository) if pull.event_at is None)


def write_records(target: Path | str, records: Iterable[Pull]) -> None:
    """Write records one a line, gzipped if the name ends in .gz; "-" is standard output.

    The same records give the same bytes. Raises InputError; an earlier file then stays.
    """
    try:
        with _opened(target) as file:
            file.writelines(encode_line(pull) + b"\n" for pull in records)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from error


@contextmanager
def _opened(target: Path | str) -> Iterator[BinaryIO]:
    if target == STDOUT:
        yield sys.stdout.buffer
        return
    with atomic.replacing(Path(target)) as file:
        if not str(target).endswith(GZIPPED):
            yield file
            return
        # Without name and time in its header, which would differ from one run to the next.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def _chosen(stored: Sequence[RepositorySummary], names: Sequence[str]) -> list[RepositorySummary]:
    if not stored:
        raise InputError("the pull store holds no pull requests", hint="fetch some first")
    known = {summary.repository: summary for summary in stored}
    for name in names:
        if name not in known:
            raise InputError(
                f"the pull store holds no pull requests of {name}",
                hint=f"it holds {', '.join(known)}",
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(stored)
