"""A fake GitHub inside the process, and a fetch from it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_github.accounts import Accounts
from fake_github.app import FakeGitHub
from fake_github.faults import Faults
from fake_github.inside import URL, Inside
from fake_github.schema import NotInstalledError, github_schema
from fake_github.world import World
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.fetch import fetch_github
from pullrisk.fetch.github.report import GitHubReport
from pullrisk.fetch.github.rounds import Request
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.sqlite import SqliteStore

PACE = 0.001
"""A second of waiting takes a millisecond."""
NOW = 1_735_732_800
"""The clock of the worlds: 2025-01-01 12:00 UTC."""


@pytest.fixture(scope="session", autouse=True)
def _schema() -> None:
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


class GitHub:
    """The fake, and the fetches from it into one store."""

    def __init__(self, world: World, store: SqliteStore) -> None:
        self.world, self.store = world, store
        self.app = FakeGitHub(world)

    @property
    def accounts(self) -> Accounts:
        return self.app.accounts

    def misbehave(self, **faults: Any) -> None:
        self.app.faults = Faults(**faults)

    def fetch(
        self,
        *names: str,
        access: dict[str, Any] | None = None,
        progress: Progress | None = None,
        **request: Any,
    ) -> GitHubReport:
        return fetch_github(
            Request(repositories=names, **request),
            self.store,
            access=self.access(**(access or {})),
            progress=progress or Silent(),
        )

    def access(self, **options: Any) -> Access:
        known = {
            "url": URL,
            "tokens": ("fake-token",),
            "pace": PACE,
            "transport": Inside(self.app),
        }
        return Access(**{**known, **options})


@pytest.fixture
def github(world: World, store: SqliteStore) -> GitHub:
    return GitHub(world, store)


Fetch = Callable[..., GitHubReport]
