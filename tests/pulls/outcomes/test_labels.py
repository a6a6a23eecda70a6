"""The fate of every pull of a finished history. All wording here is made up."""

from datetime import UTC, datetime, timedelta

from pullrisk.pulls.outcomes import Outcome, outcomes
from pullrisk.pulls.record import Pull

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def a_pull(number: int, title: str = "Tidy", body: str = "", *, day: float = 0) -> Pull:
    at = MOMENT + timedelta(days=day)
    return Pull(
        repository="acme/rocket", number=number, created_at=at, updated_at=at, merged_at=at,
        title=title, body=body,
    )  # fmt: skip


def test_a_pull_nobody_mentions_has_no_fate() -> None:
    assert outcomes([a_pull(1)]) == {1: Outcome(merged_at=MOMENT)}


def test_a_revert_is_noted_with_its_moment_and_evidence() -> None:
    fate = outcomes([a_pull(1), a_pull(2, "Revert #1", day=3)])[1]
    assert (fate.reverted_by, fate.evidence) == (2, "number")
    assert fate.reverted_at == MOMENT + timedelta(days=3)
    assert not fate.partial


def test_only_the_first_revert_counts() -> None:
    pulls = [a_pull(1), a_pull(2, "Revert #1", day=3), a_pull(3, "Revert #1", day=4)]
    assert outcomes(pulls)[1].reverted_by == 2


def test_a_partial_revert_is_no_revert() -> None:
    fate = outcomes([a_pull(1), a_pull(2, "Partially revert #1")])[1]
    assert fate.partial
    assert fate.reverted_by is None


def test_a_hotfix_and_a_reland_are_noted() -> None:
    pulls = [
        a_pull(1),
        a_pull(2, "Repair", "Regression introduced in #1", day=1),
        a_pull(3, "Revert #1", day=2),
        a_pull(4, "Reland #1", day=3),
    ]
    fate = outcomes(pulls)[1]
    assert (fate.hotfixed_by, fate.hotfixed_at) == (2, MOMENT + timedelta(days=1))
    assert fate.reverted_by == 3
    assert fate.relanded_at == MOMENT + timedelta(days=3)


def test_a_pull_is_mature_once_it_was_watched_long_enough() -> None:
    pulls = [a_pull(1, day=0), a_pull(2, day=0.5), a_pull(3, day=90)]
    assert [fate.mature for fate in outcomes(pulls).values()] == [True, False, False]


def test_the_window_and_its_end_can_be_set() -> None:
    pulls = [a_pull(1), a_pull(2, day=10)]
    week = outcomes(pulls, maturity=timedelta(days=7))
    assert [fate.mature for fate in week.values()] == [True, False]
    later = outcomes(pulls, observed_until=MOMENT + timedelta(days=95))
    assert [fate.mature for fate in later.values()] == [True, False]


def test_pulls_closed_unmerged_only_move_the_clock() -> None:
    at = MOMENT + timedelta(days=100)
    closed = Pull(
        repository="acme/rocket", number=9, created_at=at, updated_at=at, closed_at=at,
        title="Revert #1",
    )  # fmt: skip
    fates = outcomes([a_pull(1), closed])
    assert list(fates) == [1]
    assert fates[1].mature
    assert fates[1].reverted_by is None


def test_a_revert_that_comes_before_its_target_yields_nothing() -> None:
    fates = outcomes([a_pull(2, "Revert #1"), a_pull(1)])
    assert fates[1].reverted_by is None
