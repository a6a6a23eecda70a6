"""Made-up repositories to preprocess, and what the tests of the lake and its runs ask of them."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pullrisk.lake import Lake
from pullrisk.preprocess import PreprocessReport
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.store import PullStore

START = datetime(2024, 2, 29, 12, tzinfo=UTC)
Item = TypeVar("Item")
Undisturbed = Callable[[PullStore], pa.Table]
"""Gives the rows of one full run over the store, into a fresh lake."""


def made_pull(
    number: int, *, repository: str = "o/r", hours: float | None = None, **fields: object
) -> Pull:
    """An event `hours` (its number, unless given) after the start: most merge, some revert."""
    chance = random.Random(number)
    at = START + timedelta(hours=number if hours is None else hours)
    reverts = number > 1 and number % 7 == 0
    known: dict[str, object] = {
        "repository": repository,
        "number": number,
        "created_at": at - timedelta(hours=chance.randrange(1, 100)),
        "updated_at": at,
        "merged_at": None if number % 11 == 5 else at,
        "closed_at": at,
        "title": f'Revert "Change" (#{number - 1})' if reverts else f"Change {number}",
        "body": f"Reverts {repository}#{number - 1}" if reverts else "",
        "author": chance.choice(["ann", "bob", "eve", None]),
        "files": tuple(
            ChangedFile(f"src/{chance.randrange(9)}.py", "modified", chance.randrange(99), 1)
            for _ in range(chance.randrange(4))
        ),
    }
    return Pull(**(known | fields))  # type: ignore[arg-type]


def rows(lake: Lake) -> pa.Table:
    """The newest table but for which run wrote each row, to be compared."""
    lake.refresh()
    return comparable(lake.table().drop_columns(["run"]))


def comparable(table: pa.Table) -> pa.Table:
    """The table with null in place of NaN, which equals nothing."""
    columns = [
        pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def statuses(report: PreprocessReport) -> dict[str, str]:
    """Repository → what the run did with it."""
    return {one.repository: one.status for one in report.repositories}


def left_files(lake: Lake) -> set[str]:
    """Parquet files and objects in the lake's folder."""
    root = Path(lake.uri)
    return {
        str(path.relative_to(root))
        for pattern in ("features/*.parquet", "histories/*/*")
        for path in root.glob(pattern)
    }


def all_at_once(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    """Do the work for every item, each in a thread of its own; raises the first error."""
    with ThreadPoolExecutor(len(items)) as threads:
        list(threads.map(work, items))


class Calling:
    """A Progress that calls `action` at the first advance."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action, self.called = action, False

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator["Calling"]:
        """The task is this very object."""
        yield self

    def advance(self, amount: float = 1) -> None:
        """Call the action once."""
        if not self.called:
            self.called = True
            self.action()

    def describe(self, description: str) -> None:
        """Not of interest."""
