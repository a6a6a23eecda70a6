"""Page sizes that fit a repository."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pullrisk.fetch.github.reader import FAST, FIRST, MAXIMUM, PARDON, SLOW, Paging


def run(paging: Paging, largest: int, pages: int) -> tuple[int, int]:
    """Ask for pages where GitHub computes so many pulls in time: (failures, pulls)."""
    failures = pulls = 0
    for _ in range(pages):
        if paging.size > largest:
            paging.failed()
            failures += 1
        else:
            pulls += paging.size
            paging.succeeded(0.5)
    return failures, pulls


def test_pages_grow_slowly_to_githubs_limit() -> None:
    paging = Paging()
    sizes = [paging.size]
    while paging.size < MAXIMUM:
        paging.succeeded(0.5)
        sizes.append(paging.size)
    assert sizes[0] == FIRST
    assert all(later <= earlier * 1.25 for earlier, later in pairwise(sizes))
    assert len(sizes) > 12


def test_a_failure_halves_the_page() -> None:
    paging = Paging(size=60)
    paging.failed()
    assert paging.size == 30


def test_slow_pages_shrink_before_they_fail_and_middling_ones_do_not_grow() -> None:
    paging = Paging(size=40)
    paging.succeeded(SLOW + 1)
    assert paging.size == 30
    for _ in range(50):
        paging.succeeded(FAST + 1)
    assert paging.size == 30


@given(st.integers(1, MAXIMUM))
def test_whatever_works_is_found_with_few_failures(largest: int) -> None:
    failures, pulls = run(Paging(), largest, 400)
    assert failures <= 5 + 400 / PARDON
    assert pulls > 0.6 * 400 * largest - 400


def test_what_was_learned_survives_a_restart_and_a_better_day_is_noticed() -> None:
    paging = Paging()
    run(paging, 20, 100)
    assert 10 <= paging.size <= 20
    run(paging, MAXIMUM, 100 * MAXIMUM)
    assert paging.size == MAXIMUM


def test_a_size_that_worked_once_is_not_held_on_to() -> None:
    paging = Paging(size=80, good=80)
    failures, _ = run(paging, 10, 200)
    assert failures <= 5 + 200 / PARDON
    assert paging.size <= 10
