"""Joining links to the pulls they name."""

import numpy as np

from pullrisk.train.table_columns import NEVER, Keys


def first(kind: str, *, within: int = NEVER, told_at: int = NEVER) -> list[int]:
    """Pull 1 of two repositories; 2 and 3 of the first name it, at 50 and at 20 (or told_at)."""
    repository = np.array([0, 0, 0, 1], np.int32)
    number, merged_at = np.array([1, 2, 3, 1]), np.array([10, 50, 20, 0])
    row, named = np.array([1, 2]), np.array([1, 1])
    kinds, at = np.array(["revert", "revert"]), np.array([NEVER, told_at])
    keys = Keys(repository, number, merged_at)
    found = keys.first(row, named, kinds, at, kind=kind, within=within)
    return [int(moment) for moment in found]


def test_the_earliest_link_tells_when_and_only_in_its_own_repository() -> None:
    assert first("revert") == [20, NEVER, NEVER, NEVER]


def test_a_link_that_came_too_late_does_not_count() -> None:
    assert first("revert", within=10)[0] == 20
    assert first("revert", within=9)[0] == NEVER


def test_a_link_of_a_push_has_its_own_time() -> None:
    assert first("revert", told_at=15)[0] == 15
    assert first("revert", told_at=15, within=4)[0] == NEVER


def test_links_of_another_kind_do_not_count() -> None:
    assert first("hotfix") == [NEVER] * 4
