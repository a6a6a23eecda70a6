"""The lines to begin with: those of young and of repaired pulls, and nothing that says nothing."""

from datetime import timedelta

from pullrisk.brief.hotspots import places
from pullrisk.brief.past import Past
from pullrisk.brief.ranges import line_ranges
from pullrisk.brief.result import LineRange
from pullrisk.pulls.lines import ChangedHunk
from support.past_pulls import NOW, START, history, pull

PATH = "src/net/lock.py"
OLD = pull(5, PATH, day=1)
YOUNG = pull(11, PATH, day=91)
FIXED = pull(6, PATH, day=2)
FIX = pull(13, PATH, day=5, title="Fix the lock", rewrites=((6, 3),))


def hunk(
    first: int,
    added: int = 2,
    *,
    of: tuple[tuple[int, int], ...] = (),
    beside: tuple[int, ...] = (),
) -> ChangedHunk:
    removed = sum(lines for _, lines in of)
    return ChangedHunk(first, first + added - 1, added, removed, of, beside)


def ranges(*hunks: ChangedHunk, days: float = 0) -> tuple[LineRange, ...]:
    asked = pull(20, PATH)
    seen = Past(history(OLD, FIXED, FIX, YOUNG), asked, NOW + timedelta(days=days))
    return line_ranges(seen, PATH, hunks)


def test_young_lines_come_first_then_repaired_ones_then_what_stands_beside_them() -> None:
    told = ranges(
        hunk(10, 3, beside=(11,)), hunk(30, of=((6, 9),)), hunk(50, of=((11, 2),)),
        hunk(70, of=((5, 40),)), hunk(90, 2, beside=(11,)), days=60,
    )  # fmt: skip
    assert [(each.first, each.number) for each in told] == [(50, 11), (30, 6), (10, 11)]
    assert told[0].text == "rewrites 2 lines that #11 wrote 2 months ago"
    assert (
        told[1].text
        == "rewrites 9 lines that #6 wrote 5 months ago; #6 needed a fix after 3 days (#13)"
    )
    assert told[2].text == "inserts 3 lines beside lines of #11 too"
    assert told[0].url is not None
    assert told[0].url.endswith("R50-R51")


def test_a_fix_in_another_file_says_nothing_of_these_lines() -> None:
    wrote = pull(6, PATH, "src/net/other.py", day=2)
    elsewhere = pull(13, "src/net/other.py", day=5, title="Fix it", rewrites=((6, 3),))
    asked = pull(20, PATH)
    seen = Past(history(wrote, elsewhere), asked, NOW + timedelta(days=60))
    assert line_ranges(seen, PATH, [hunk(30, of=((6, 9),))]) == ()


def test_a_fix_years_later_says_little_of_the_lines_beside_it() -> None:
    wrote, fixed = pull(6, PATH, day=2), pull(13, PATH, day=600, title="Fix", rewrites=((6, 3),))
    asked = pull(20, PATH)
    seen = Past(history(wrote, fixed), asked, START + timedelta(days=700))
    assert line_ranges(seen, PATH, [hunk(30, of=((6, 9),))]) == ()


def test_lines_that_nothing_replaces_are_removed() -> None:
    (told,) = ranges(hunk(10, 0, of=((11, 4),)))
    assert told.text == "removes 4 lines that #11 wrote 9 days ago"


def test_hunks_that_lie_close_together_are_one_range() -> None:
    (told,) = ranges(hunk(10, of=((11, 1),)), hunk(14, of=((11, 3),)))
    assert (told.first, told.last) == (10, 15)
    assert told.text == "rewrites 4 lines that #11 wrote 9 days ago"


def test_old_lines_are_no_news_and_the_size_is_only_if_most_of_it_is_in_one_place() -> None:
    assert ranges(hunk(10, of=((5, 4),)), hunk(40, of=((5, 4),)), days=300) == ()
    (told,) = ranges(hunk(10, 30, of=((5, 4),)), hunk(80, 2), days=300)
    assert (told.first, told.last, told.number) == (10, 39, None)
    assert told.text == "most of what it adds to the file (30 lines)"
    assert ranges(hunk(1, 300)) == ()


def test_a_pull_of_one_file_is_told_of_its_lines_and_only_of_them() -> None:
    asked = pull(20, PATH, rewrites=((11, 4),))
    seen = Past(history(OLD, YOUNG), asked, NOW)
    assert places(seen) == ()
    assert places(seen, lambda _: []) == ()
    (place,) = places(seen, lambda _: [hunk(3, of=((11, 4),))])
    assert (place.path, len(place.ranges)) == (PATH, 1)


def test_what_came_after_the_moment_is_not_told() -> None:
    asked = pull(20, PATH)
    seen = Past(history(OLD, FIXED, FIX, YOUNG), asked, START + timedelta(days=4))
    (told,) = line_ranges(seen, PATH, [hunk(3, of=((6, 4), (11, 9)))])
    assert told.text == "rewrites 4 lines that #6 wrote 2 days ago"
