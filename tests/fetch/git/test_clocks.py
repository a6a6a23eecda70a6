"""The order along the branch is the truth; clocks are evidence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.fetch.git.clocks import commit_times, monotone
from pullrisk.fetch.git.graph import arrange_commits
from pullrisk.fetch.git.log import Commit

START = datetime(2024, 1, 1, tzinfo=UTC)
LOW, HIGH = START, START + timedelta(days=1_000)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


@pytest.mark.parametrize(
    ("stated", "times"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 2, 3], [1, 2, 2, 3]),
        ([1, 900, 3, 4], [1, 3, 3, 4]),  # ahead of every neighbour
        ([1, 9_000, 3], [1, 3, 3]),
        ([1, 2, 9_000], [1, 2, 2]),  # the last is ahead of the fetch
        ([9_000, 9_000, 3], [3, 3, 3]),
        ([5, 6, -700, 7], [5, 6, 6, 7]),  # years behind
        ([5, 6, 5.9, 7, 8], [5, 5.9, 5.9, 7, 8]),  # a bit behind: one of the two gives way
        ([9_000], [0]),
        ([], []),
    ],
)
def test_a_clock_that_does_not_fit_gives_way(stated: list[float], times: list[float]) -> None:
    held = monotone([day(each) for each in stated], LOW, HIGH, is_tip=True)
    assert held == [day(each) for each in times]


@given(st.lists(st.integers(-2_000, 5_000), max_size=60), st.booleans())
def test_times_never_run_backwards(days: list[int], is_tip: bool) -> None:
    times = monotone([day(each) for each in days], LOW, HIGH, is_tip=is_tip)
    assert times == sorted(times)
    assert all(LOW <= each <= HIGH for each in times)


@given(st.lists(st.integers(0, 900), min_size=4, max_size=60), st.data())
def test_one_wrong_clock_moves_no_other_commit(days: list[int], data: st.DataObject) -> None:
    days = sorted(set(days))
    place = data.draw(st.integers(0, len(days)))
    stated = [*days[:place], data.draw(st.sampled_from([-9_000, 9_000])), *days[place:]]
    times = monotone([day(each) for each in stated], LOW, HIGH)
    assert [*times[:place], *times[place + 1 :]] == [day(each) for each in days]


def history(*commits: tuple[str, str, float]) -> dict[str, Commit]:
    return {
        sha: Commit(sha, tuple(parents), "", "", day(when), day(when), "")
        for sha, parents, when in commits
    }


def settled(commits: dict[str, Commit], head: str, **options: datetime) -> dict[str, datetime]:
    graph = arrange_commits({sha: each.parents for sha, each in commits.items()}, head)
    return commit_times(commits, graph, floor=options.get("floor"), now=options.get("now", HIGH))


def test_a_line_that_was_merged_up_keeps_its_own_times() -> None:
    commits = history(("a", "", 1), ("x", "a", 3), ("y", "x", 5), ("b", "a", 4), ("m", "by", 6))
    assert settled(commits, "m") == {
        "a": day(1), "x": day(3), "y": day(5), "b": day(4), "m": day(6),
    }  # fmt: skip


def test_a_merged_line_lies_between_where_it_left_and_its_merge() -> None:
    commits = history(("a", "", 2), ("x", "a", 1), ("y", "x", 90), ("b", "a", 4), ("m", "by", 6))
    times = settled(commits, "m")
    assert (times["x"], times["y"]) == (day(2), day(6))


def test_times_go_on_after_those_of_the_run_before() -> None:
    commits = history(("a", "", 2), ("b", "a", 9), ("c", "b", 20))
    times = settled(commits, "c", floor=day(5), now=day(10))
    assert list(times.values()) == [day(5), day(9), day(9)]
