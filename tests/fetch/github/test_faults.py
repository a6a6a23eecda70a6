"""Each kind of failure, cured on its own terms or told plainly."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncBaseTransport, Request, Response

from fake_github.accounts import Account
from fake_github.answers import TIMEOUT
from fake_github.faults import KINDS
from fake_github.world import World, load_sample
from pullrisk.errors import InputError, SettingsError, StoreError
from pullrisk.fetch.github.client import MAX_LIMITS
from pullrisk.pulls.sqlite import SqliteStore
from support.github import NOW, GitHub, expected, stored

KEDRO = "kedro-org/kedro"
SECRET = "ghp_0123456789abcdefSECRET"


class _Nothing(AsyncBaseTransport):
    async def handle_async_request(self, request: Request) -> Response:
        return Response(404, json={"message": "Not Found"}, request=request)


@pytest.mark.parametrize("fault", KINDS)
def test_a_backfill_survives_each_kind_of_failure(github: GitHub, fault: str) -> None:
    repository = load_sample(github.world, KEDRO, first=120)
    github.misbehave(script=["", "", fault, "", fault, fault], slow=0.01)
    report = github.fetch(KEDRO)
    assert not report.failed
    assert stored(github.store, KEDRO) == expected(repository)


def test_a_backfill_survives_all_of_them_at_random(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=500)
    rates = dict.fromkeys(KINDS, 0.02)
    github.misbehave(seed=4, rates=rates, too_large_above=30, slow=0.001)
    assert not github.fetch(KEDRO).failed
    assert stored(github.store, KEDRO) == expected(repository)


@pytest.mark.parametrize("how", ["502", "504", "timeout"])
def test_pages_shrink_to_what_github_computes_in_time(github: GitHub, how: str) -> None:
    repository = load_sample(github.world, KEDRO, first=100)
    github.misbehave(too_large_above=7, how=(how,))
    github.fetch(KEDRO)
    assert stored(github.store, KEDRO) == expected(repository)
    # 25, 12 and then never above 7 more than now and then.
    assert github.app.requests["Pulls"] < 35


def test_a_pull_whose_files_never_come_is_stored_without_them(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=3)
    github.misbehave(rates={"partial": 1.0}, forbidden=frozenset())
    github.fetch(KEDRO)
    # The page never has them, but asked for alone they come.
    assert stored(github.store, KEDRO) == expected(repository)


def test_a_pull_that_never_comes_is_told_to_be_missing(github: GitHub) -> None:
    load_sample(github.world, KEDRO, first=1)
    github.misbehave(rates={"lost-pull": 1.0})
    report = github.fetch(KEDRO).repositories[0]
    assert report.read == 0
    assert report.notes == (f"a pull is missing: {TIMEOUT}",)


def test_a_field_that_the_token_may_not_read_is_left_out_and_told(github: GitHub) -> None:
    load_sample(github.world, KEDRO, first=60)
    github.misbehave(forbidden=frozenset({"statusCheckRollup"}))
    report = github.fetch(KEDRO).repositories[0]
    assert report.read == 60
    assert report.notes == (
        "statusCheckRollup is missing: Resource not accessible by personal access token",
    )
    assert {pull.checks for pull in stored(github.store, KEDRO).values()} == {None}


@pytest.mark.parametrize(
    ("fault", "options"),
    [("secondary", {"retry_after": 3}), ("429", {"retry_after": 3}), ("secondary-bare", {})],
)
def test_a_secondary_limit_is_waited_out_and_shown(
    github: GitHub, fault: str, options: dict[str, Any]
) -> None:
    load_sample(github.world, KEDRO, first=10)
    github.misbehave(script=["", fault, ""], **options)
    report = github.fetch(KEDRO)
    assert not report.failed
    assert report.repositories[0].seconds > (0.003 if options else 0.06)
    assert github.app.requests.total() == 4


def test_limits_without_end_are_given_up(github: GitHub) -> None:
    load_sample(github.world, KEDRO, first=10)
    github.misbehave(rates={"429": 1.0})
    report = github.fetch(KEDRO)
    assert "answers with its limits only" in str(report.failed[0].error)
    assert github.app.requests.total() == MAX_LIMITS + 1


def test_an_exhausted_budget_is_waited_for(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=250)
    account = github.accounts.tokens["fake-token"] = Account(limit=9)

    def time_passes(requests: int) -> None:
        github.world.clock = NOW + 400 * requests

    github.app.on_request = time_passes
    assert not github.fetch(KEDRO, access={"pace": 1e-4}).failed
    assert stored(github.store, KEDRO) == expected(repository)
    assert account.resets_at > NOW + 3_600


def test_another_token_takes_over_where_one_has_spent_its_budget(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=250)
    github.accounts.tokens["poor"] = Account(limit=6)
    github.fetch(KEDRO, access={"tokens": ("poor", "fake-token")})
    assert stored(github.store, KEDRO) == expected(repository)
    assert github.accounts.tokens["poor"].used <= 6
    assert github.accounts.tokens["fake-token"].used > 10


def test_a_token_that_expires_hands_over_to_another(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=250)
    github.accounts.tokens["short"] = Account(limit=50_000, calls_left=3)
    github.fetch(KEDRO, access={"tokens": ("short", "fake-token")})
    assert stored(github.store, KEDRO) == expected(repository)


def test_the_last_token_that_expires_ends_the_fetch_and_keeps_what_is_stored(
    github: GitHub,
) -> None:
    repository = load_sample(github.world, KEDRO, first=250)
    github.accounts.tokens[SECRET] = Account(calls_left=4)
    with pytest.raises(SettingsError, match="token 1: HTTP 401: Bad credentials") as caught:
        github.fetch(KEDRO, access={"tokens": (SECRET,)})
    assert SECRET not in str(caught.value)
    assert "settings/tokens" in str(caught.value.hint)
    done = stored(github.store, KEDRO)
    assert len(done) == 50
    assert github.fetch(KEDRO).read == 250 - len(done)
    assert stored(github.store, KEDRO) == expected(repository)


def test_a_wrong_token_is_told_without_showing_it(github: GitHub) -> None:
    load_sample(github.world, KEDRO, first=5)
    with pytest.raises(SettingsError, match="no credential any more") as caught:
        github.fetch(KEDRO, access={"tokens": (SECRET, SECRET + "2")})
    assert SECRET not in str(caught.value)
    assert "token 2" in str(caught.value)


def test_without_any_token_it_says_how_to_get_one_and_that_git_needs_none(github: GitHub) -> None:
    with pytest.raises(SettingsError, match="needs a token") as caught:
        github.fetch(KEDRO, access={"tokens": ()})
    hint = str(caught.value.hint)
    assert "https://github.com/settings/tokens" in hint
    assert "gh auth login" in hint
    assert "--git PATH" in hint


@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET} x", "ghp_é", '"ghp\x00'])
def test_a_token_that_was_copied_wrongly_is_refused_without_showing_it(
    github: GitHub, token: str
) -> None:
    with pytest.raises(SettingsError, match="github_token 1 holds characters") as caught:
        github.fetch(KEDRO, access={"tokens": (token,)})
    assert "ghp" not in str(caught.value)


def test_an_unknown_repository_is_reported_and_the_others_go_on(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=30)
    report = github.fetch("no/such", KEDRO, "not a name")
    assert stored(github.store, KEDRO) == expected(repository)
    unknown, wrong = report.failed
    assert "no/such: GitHub knows no such repository" in str(unknown.error)
    assert "'not a name' is no repository name" in str(wrong.error)


def test_a_server_out_of_reach_is_told_with_its_name(github: GitHub, world: World) -> None:
    load_sample(world, KEDRO, first=5)
    github.misbehave(rates={"500": 1.0})
    report = github.fetch(KEDRO)
    assert "localhost cannot be reached: HTTP 500" in str(report.failed[0].error)


def test_an_address_without_a_github_is_told(github: GitHub) -> None:
    with pytest.raises(SettingsError, match="is no GitHub API"):
        github.fetch(KEDRO, access={"url": "http://localhost", "transport": _Nothing()})


def test_nothing_to_fetch_is_an_error(github: GitHub) -> None:
    with pytest.raises(InputError, match="no repository to fetch"):
        github.fetch(search="stars:>9999999")


def test_a_store_that_refuses_ends_the_fetch_and_nothing_is_lost(
    github: GitHub, tmp_path: Path
) -> None:
    repository = load_sample(github.world, KEDRO, first=200)
    path = tmp_path / "busy.sqlite"
    blocker = sqlite3.connect(path, isolation_level=None)

    def block(requests: int) -> None:
        if requests == 4:
            blocker.execute("BEGIN IMMEDIATE")

    github.app.on_request = block
    with SqliteStore(path, timeout=0.1) as store:
        github.store = store
        with pytest.raises(StoreError, match="another process is writing"):
            github.fetch(KEDRO)
        blocker.close()
        done = len(stored(store, KEDRO))
        assert 0 < done < 200
        assert github.fetch(KEDRO).read == 200 - done
        assert stored(store, KEDRO) == expected(repository)
