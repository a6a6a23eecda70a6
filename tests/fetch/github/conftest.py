"""A fake GitHub inside the process, and a fetch from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina.instrumentation

from fake_github.schema import NotInstalledError, github_schema
from fake_github.world import World
from pullrisk.pulls.sqlite import SqliteStore
from support.github import NOW, GitHub


@pytest.fixture(scope="session", autouse=True)
def _schema() -> None:
    stamina.instrumentation.set_on_retry_hooks(())
    try:
        github_schema()
    except NotInstalledError as error:
        pytest.skip(str(error))


@pytest.fixture
def world() -> World:
    return World(clock=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


@pytest.fixture
def github(world: World, store: SqliteStore) -> GitHub:
    return GitHub(world, store)
