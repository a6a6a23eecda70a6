"""Made-up rows for the lake: real replays of small repositories."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullrisk.features import RepositoryHistory
from pullrisk.features.replay import Block, replay
from pullrisk.lake import AddedFile, Change, FeatureWriter, Lake
from pullrisk.lake.schema import batch
from pullrisk.pulls.consumed import ConsumedPulls
from pullrisk.pulls.record import ChangedFile, Pull

START = datetime(2024, 2, 29, 12, tzinfo=UTC)

MakeBlock = Callable[..., Block]
MakeChange = Callable[..., Change]


def made_block(repository: str = "o/r", *, first: int = 1, rows: int = 5) -> Block:
    pulls = [
        Pull(
            repository=repository,
            number=number,
            created_at=START,
            updated_at=START + timedelta(hours=number),
            merged_at=START + timedelta(hours=number),
            title=f'Revert "Change" (#{number - 1})' if number % 3 == 0 else f"Change {number}",
            body=f"Reverts {repository}#{number - 1}" if number % 3 == 0 else "",
            author=None if number % 4 == 0 else "ann",
            files=(ChangedFile("src/a.py", "modified", number, 1),),
        )
        for number in range(first, first + rows)
    ]
    (block,) = replay(RepositoryHistory(repository), pulls, block_rows=max(rows, 1))
    return block


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def make_block() -> MakeBlock:
    """`make_block(repository, first=…, rows=…)`: rows of consecutive merged pulls."""
    return made_block


@pytest.fixture
def make_change(lake: Lake) -> MakeChange:
    """`make_change(block, …)`: a run that wrote its files and waits for its commit.

    As a planned run would, it builds on what the lake shows now.
    """
    runs = itertools.count(1)

    def make(*blocks: Block, replaced: frozenset[str] = frozenset()) -> Change:
        run = next(runs)
        lake.refresh()
        writer = FeatureWriter(lake.files, run=run)
        for block in blocks:
            writer.start_repository()
            writer.write(batch(block, run=run))
            lake.objects.write(
                block.repository, run=run, history=b"history", consumed=ConsumedPulls({1: run})
            )
        files: list[AddedFile] = writer.finish()
        return Change(
            run=run,
            base={block.repository: lake.current_run(block.repository) for block in blocks},
            base_version=lake.version,
            files=files,
            replaced=replaced,
            facts={"rows": sum(map(len, blocks))},
        )

    return make
