"""Tokens and Apps that are rotated in the middle of a fetch."""

from collections.abc import Callable

import pytest

from fake_github.accounts import Account
from fake_github.world import load_sample
from pullrisk.errors import SettingsError
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.fetch import GitHubReport, Request, fetch_github
from pullrisk.progress import Silent
from support.github import GitHub, expected, stored

KEDRO = "kedro-org/kedro"


class Rotated:
    """Access that is told at once, or only when it is read anew."""

    def __init__(self, access: Access) -> None:
        self.now = self.known = access
        self.reads = 0

    def refresh(self) -> bool:
        self.reads += 1
        before, self.now = self.now, self.known
        return before is not self.now


@pytest.fixture
def rotated(github: GitHub) -> Rotated:
    return Rotated(github.access(tokens=("first",)))


Fetch = Callable[[], GitHubReport]


@pytest.fixture
def fetch(github: GitHub, rotated: Rotated) -> Fetch:
    github.accounts.tokens = {"first": Account()}

    def run() -> GitHubReport:
        return fetch_github(
            Request(repositories=(KEDRO,)),
            github.store,
            access=rotated.now,
            progress=Silent(),
            rotating=rotated,
        )

    return run


def at_request(github: GitHub, number: int, call: Callable[[], object]) -> None:
    github.app.on_request = lambda count: call() if count == number else None


def test_a_new_token_is_used_as_soon_as_it_is_told(
    github: GitHub, rotated: Rotated, fetch: Fetch
) -> None:
    repository = load_sample(github.world, KEDRO, first=200)
    github.accounts.tokens["second"] = Account()

    used: list[int] = []

    def rotate(count: int) -> None:
        if count == 3:
            rotated.now = github.access(tokens=("second",))
        used.append(github.accounts.tokens["first"].used)

    github.app.on_request = rotate
    assert not fetch().failed
    assert stored(github.store, KEDRO) == expected(repository)
    assert 0 < used[3] <= used[4] == github.accounts.tokens["first"].used, "and no longer"
    assert github.accounts.tokens["second"].used > 0
    assert rotated.reads == 0


def test_a_token_that_is_refused_is_read_anew(
    github: GitHub, rotated: Rotated, fetch: Fetch
) -> None:
    repository = load_sample(github.world, KEDRO, first=200)
    rotated.known = github.access(tokens=("second",))

    def revoke() -> None:
        github.accounts.tokens = {"second": Account()}

    at_request(github, 3, revoke)
    assert not fetch().failed
    assert stored(github.store, KEDRO) == expected(repository)
    assert rotated.reads == 1


def test_a_token_that_stays_refused_ends_the_fetch(
    github: GitHub, rotated: Rotated, fetch: Fetch
) -> None:
    load_sample(github.world, KEDRO, first=200)
    at_request(github, 3, github.accounts.tokens.clear)
    with pytest.raises(SettingsError, match="GitHub accepts no credential any more"):
        fetch()
    assert rotated.reads == 1


def test_a_token_that_stays_keeps_its_budget_beside_a_new_one(
    github: GitHub, rotated: Rotated, fetch: Fetch
) -> None:
    repository = load_sample(github.world, KEDRO, first=200)
    github.accounts.tokens["poor"] = Account(limit=2)
    rotated.now = github.access(tokens=("poor", "first"))
    github.accounts.tokens["second"] = Account()

    def rotate() -> None:
        rotated.now = github.access(tokens=("poor", "second"))

    at_request(github, 4, rotate)
    assert not fetch().failed
    assert stored(github.store, KEDRO) == expected(repository)


def test_a_bad_new_token_leaves_the_last_good_one_in_use(
    github: GitHub, rotated: Rotated, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    repository = load_sample(github.world, KEDRO, first=200)

    def spoil() -> None:
        rotated.now = github.access(tokens=("sec ond",))

    at_request(github, 3, spoil)
    assert not fetch().failed
    assert stored(github.store, KEDRO) == expected(repository)
    lines = [each.getMessage() for each in caplog.records]
    assert len([line for line in lines if "cannot be used" in line]) == 1
    assert not any("sec ond" in line for line in lines)
