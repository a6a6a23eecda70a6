"""How much a credential may ask, second by second."""

from datetime import UTC, datetime

from pullrisk.fetch.github.graphql import RateLimit
from pullrisk.fetch.github.slots import CALLS_A_MINUTE, FIRST_PAUSE, LONGEST_PAUSE, RESERVE, Budget


def rate(remaining: int, limit: int = 5_000) -> RateLimit:
    return RateLimit(limit=limit, cost=1, remaining=remaining, reset_at=datetime.now(UTC))


def call(budget: Budget, *, at: float, seconds: float = 0.1) -> None:
    budget.start()
    budget.finish(now=at, seconds=seconds)


def test_a_new_budget_is_ready_at_once() -> None:
    assert Budget().ready_at(100.0) <= 100.0


def test_a_spent_budget_waits_until_it_comes_back_and_keeps_a_reserve() -> None:
    budget = Budget()
    budget.note(rate(RESERVE + 1), now=0.0, resets_in=1_800.0)
    assert budget.ready_at(1.0) <= 1.0
    budget.start()  # one under way may take the last point above the reserve
    assert budget.ready_at(1.0) == 1_800.0
    assert budget.ready_at(1_801.0) <= 1_801.0


def test_a_small_budget_can_be_used_almost_whole() -> None:
    budget = Budget()
    budget.note(rate(2, limit=10), now=0.0, resets_in=60.0)
    assert budget.ready_at(1.0) <= 1.0


def test_a_pause_without_a_time_doubles_until_an_answer_comes() -> None:
    budget = Budget()
    pauses = [budget.pause(0.0, None) for _ in range(6)]
    assert pauses == [60.0, 120.0, 240.0, 480.0, LONGEST_PAUSE, LONGEST_PAUSE]
    budget.note(rate(100), now=0.0, resets_in=60.0)
    assert budget.pause(0.0, None) == FIRST_PAUSE


def test_a_pause_that_github_names_is_kept() -> None:
    budget = Budget()
    assert budget.pause(10.0, 7.0) == 7.0
    assert budget.ready_at(11.0) == 17.0


def test_calls_take_no_more_than_githubs_minute_of_time() -> None:
    budget = Budget()
    for each in range(10):
        call(budget, at=float(each), seconds=7.0)
    # 70 s of the last minute: the first two have to fall out of it.
    assert budget.ready_at(10.0) == 61.0
    assert budget.ready_at(62.0) <= 62.0


def test_calls_are_no_more_than_githubs_number_a_minute() -> None:
    budget = Budget()
    for _ in range(CALLS_A_MINUTE):
        call(budget, at=5.0, seconds=0.001)
    assert budget.ready_at(6.0) == 65.0


def test_the_pace_shortens_every_wait() -> None:
    budget = Budget(pace=0.01)
    assert budget.pause(0.0, None) == 0.6
    budget.note(rate(0), now=0.0, resets_in=3_600.0)
    assert budget.ready_at(1.0) == 36.0
