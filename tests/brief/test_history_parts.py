"""The parts of a brief that a repository's history tells, on small made histories."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from pullrisk.brief.hotspots import places
from pullrisk.brief.index import index_of
from pullrisk.brief.missing import missing
from pullrisk.brief.past import Past
from pullrisk.brief.precedents import precedents
from pullrisk.brief.reviewers import resembles, reviewers
from pullrisk.brief.under_way import open_works, under_way
from pullrisk.features import RepositoryHistory
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull, Review
from support.histories import START, after, pull


def changed(*paths: str, code: int = 10, status: str = "modified") -> tuple[ChangedFile, ...]:
    return tuple(ChangedFile(path, status, code, 2, None, code, 2) for path in paths)


def written(number: int, *paths: str, day: float | None = None, **changes: Any) -> Pull:
    """A merged pull that adds code in these files."""
    facts = {
        "files": changed(*paths),
        "lines": ChangedLines(rewrites=(), neighbours=(), code_added=10),
    }
    facts["changed_files"] = len(paths)
    return pull(number, day=number if day is None else day, **{**facts, **changes})


def fix(number: int, of: int, *paths: str, day: float | None = None) -> Pull:
    """A merged pull that fixes what an earlier one wrote in the first of these files."""
    lines = ChangedLines(rewrites=(Origin(of, 4, 0),), neighbours=(), code_added=4, code_removed=4)
    return written(number, *paths, day=day, title="Fix a crash", lines=lines)


def opened(*paths: str, number: int = 900, **changes: Any) -> Pull:
    return written(number, *paths, merged_at=None, closed_at=None, **changes)


NOW = START + timedelta(days=60)


# --- where to look ----------------------------------------------------------------------------


def test_of_two_files_with_as_much_code_the_one_that_was_repaired_comes_first() -> None:
    history = after(written(1, "a.py"), written(2, "b.py"), fix(3, 2, "b.py"))

    first, second = places(Past(history, opened("a.py", "b.py"), NOW))

    assert (first.path, second.path) == ("b.py", "a.py")
    assert first.share > second.share
    assert first.share + second.share == pytest.approx(1)
    assert "1 earlier pull needed a fix here 8 weeks ago" in first.text


def test_young_lines_count_and_old_ones_do_not() -> None:
    history = after(written(1, "a.py", "b.py", day=1), written(2, "a.py", "b.py", day=200))
    lines = ChangedLines(
        rewrites=(
            Origin(1, 30, 0),
            Origin(2, 30, 1),
        ),
        neighbours=(),
        code_added=20,
    )
    asked = opened("a.py", "b.py", lines=lines)

    first, _ = places(Past(history, asked, START + timedelta(days=210)))

    assert first.path == "b.py"
    assert "rewrites 30 lines of the last 90 days" in first.text


def test_tests_and_documents_are_no_place_to_look_and_one_file_needs_no_telling() -> None:
    assert (
        places(Past(after(written(1, "a.py")), opened("a.py", "tests/test_a.py", "README.md"), NOW))
        == ()
    )


def test_a_file_to_which_no_code_is_added_is_told_by_what_is_removed_or_not_at_all() -> None:
    history = after(written(1, "a.py", "b.py", "c.py"))
    gone = ChangedFile("b.py", "removed", 0, 9, None, 0, 9)
    less = ChangedFile("c.py", "modified", 0, 4, None, 0, 4)
    comments = ChangedFile("d.py", "modified", 2, 2, None, 0, 0)

    def texts(*files: ChangedFile) -> list[str]:
        asked = opened(files=files)
        return [f"{each.path}: {each.text}" for each in places(Past(history, asked, NOW))]

    assert texts(gone, less) == ["c.py: removes 4 lines of code", "b.py: removed"]
    assert texts(*changed("a.py", code=3), comments) == ["a.py: adds 3 lines of code"]


def test_what_a_build_has_left_is_no_place_to_look_and_no_precedent() -> None:
    paths = ("dist/index.js", "src/main.ts", "src/other.ts")
    history = after(written(1, *paths), fix(3, 1, "dist/index.js"))
    seen = Past(history, opened(*paths), NOW)
    assert {place.path for place in places(seen)} == {"src/main.ts", "src/other.ts"}
    assert precedents(seen) == ()


def test_no_place_is_told_where_none_stands_out() -> None:
    paths = [f"src/{letter}.py" for letter in "abcdef"]
    assert places(Past(after(written(1, *paths)), opened(*paths), NOW)) == ()


def test_a_repair_follows_a_renamed_file() -> None:
    moved = (ChangedFile("new.py", "renamed", 0, 0, "b.py", 0, 0),)
    history = after(
        written(1, "a.py"), written(2, "b.py"), fix(3, 2, "b.py"), written(4, files=moved)
    )
    assert places(Past(history, opened("a.py", "new.py"), NOW))[0].path == "new.py"


# --- what is missing --------------------------------------------------------------------------


def pairs(count: int, *paths: str) -> list[Pull]:
    return [written(number, *paths) for number in range(1, count + 1)]


def test_a_test_that_always_changes_with_its_source_is_missed() -> None:
    history = after(*pairs(8, "src/app.py", "tests/test_app.py"))

    (hint,) = missing(Past(history, opened("src/app.py"), NOW))

    assert (hint.path, hint.with_path) == ("tests/test_app.py", "src/app.py")
    assert (hint.support, hint.confidence) == (8, 1.0)
    assert hint.text.startswith("no change of its test tests/test_app.py: all of the last 8")


def test_nothing_is_missed_that_is_there_or_too_seldom_together() -> None:
    both = ("src/app.py", "tests/test_app.py")
    assert missing(Past(after(*pairs(8, *both)), opened(*both), NOW)) == ()
    assert missing(Past(after(*pairs(4, *both)), opened("src/app.py"), NOW)) == ()
    alone = [written(number, "src/app.py") for number in range(20, 24)]
    assert missing(Past(after(*pairs(8, *both), *alone), opened("src/app.py"), NOW)) == ()


def test_a_habit_that_ended_and_a_file_that_is_gone_are_forgotten() -> None:
    both = ("src/app.py", "src/app.md")
    removed = written(50, files=changed("src/app.md", status="removed"))
    assert missing(Past(after(*pairs(20, *both)), opened("src/app.py"), NOW)) != ()
    assert missing(Past(after(*pairs(20, *both), removed), opened("src/app.py"), NOW)) == ()
    lately = [written(number, "src/app.py") for number in range(30, 34)]
    assert missing(Past(after(*pairs(20, *both), *lately), opened("src/app.py"), NOW)) == ()


def test_sweeps_tie_no_files_together() -> None:
    paths = [f"src/m{number}.py" for number in range(30)]
    assert missing(Past(after(*pairs(9, *paths)), opened(paths[0]), NOW)) == ()


# --- who knows this code ----------------------------------------------------------------------


def test_those_who_changed_the_files_are_named_but_no_author_bot_or_leaver() -> None:
    history = after(
        written(1, "a.py", author="gone", day=1),
        written(2, "a.py", author="mara", day=190),
        written(3, "a.py", author="dependabot[bot]", bot=True, day=191),
        written(4, "a.py", author="ada", day=192),
        written(5, "other.py", author="zoe", day=193),
    )
    found = reviewers(Past(history, opened("a.py", author="ada"), START + timedelta(days=200)))

    assert [each.name for each in found] == ["mara"]
    assert found[0].is_login
    assert (found[0].files, found[0].changes) == (1, 1)
    assert found[0].text == "mara changed 1 file of it before, last 10 days ago"


def test_reviewing_counts_more_than_writing() -> None:
    read = (Review("rita", "approved", START), Review("ada", "commented", START))
    history = after(
        written(1, "a.py", author="will", day=40), written(2, "a.py", reviews=read, day=40)
    )
    found = reviewers(Past(history, opened("a.py", author="new"), NOW))
    assert [each.name for each in found] == ["rita", "ada", "will"]


def test_a_trailer_s_reviewers_are_named_as_it_names_them_without_an_address() -> None:
    body = "Reviewers: Mara Bell <mara@mail.example>, Rita Ott <<email>> and @joe\n"
    history = after(*(written(n, "a.py", body=body, author="will") for n in range(1, 4)))

    found = reviewers(Past(history, opened("a.py", author="will"), NOW))

    assert sorted(each.name for each in found) == ["Mara Bell", "Rita Ott"]
    assert not found[0].is_login
    assert b"mail.example" not in history.save()


def test_who_may_be_the_author_under_another_name_is_not_named() -> None:
    body = "Reviewed-by: Mara Bell\nReviewed-by: Rita Ott"
    others = [written(n, "a.py", body=body, author="will") for n in range(1, 4)]
    own = [
        written(n, "a.py", body="Reviewed-by: Rita Ott", author="author-0123456789ab")
        for n in range(10, 16)
    ]
    asked = opened("a.py", author="author-0123456789ab")
    assert [each.name for each in reviewers(Past(after(*others, *own), asked, NOW))] == ["Rita Ott"]
    unknown = opened("a.py", author="mbell")
    assert [each.name for each in reviewers(Past(after(*others), unknown, NOW))] == ["Rita Ott"]


@pytest.mark.parametrize(
    ("login", "same"), [("mbell", True), ("mara7", True), ("rott", False), ("", False)]
)
def test_a_login_may_be_of_a_display_name(login: str, same: bool) -> None:
    assert resembles(login, "Mara J. Bell") is same


# --- what happened last time ------------------------------------------------------------------


def test_the_pull_that_needed_a_fix_in_the_same_file_is_told_with_its_fix() -> None:
    history = after(
        written(1, "a.py", title="Speed up"), written(2, "b.py"), fix(3, 1, "a.py", day=9)
    )
    (told,) = precedents(Past(history, opened("a.py"), NOW))

    assert (told.number, told.by, told.outcome) == (1, 3, "repaired")
    assert (told.title, told.by_title, told.paths) == ("Speed up", "Fix a crash", ("a.py",))
    assert told.days == 8
    assert told.text == "#1 needed a fix after 8 days in a.py, by #3"
    assert precedents(Past(history, opened("b.py"), NOW)) == ()


def test_a_revert_is_told_and_what_came_after_the_moment_is_not() -> None:
    revert = written(2, "a.py", title='Revert "Change 1"', body="Reverts owner/name#1", day=5)
    history = after(written(1, "a.py"), revert)

    (told,) = precedents(Past(history, opened("a.py"), NOW))
    assert (told.outcome, told.by) == ("reverted", 2)
    assert precedents(Past(history, opened("a.py"), START + timedelta(days=4))) == ()


def test_the_pull_whose_lines_are_rewritten_comes_first_and_a_push_has_no_number() -> None:
    events = [written(number, "a.py") for number in range(1, 6)]
    fixes = [fix(10 + number, number, "a.py") for number in range(1, 5)]
    history = after(*events, *fixes, fix(-77, 5, "a.py", day=20))
    asked = opened("a.py", lines=ChangedLines(rewrites=(Origin(5, 9, 0),), neighbours=()))

    told = precedents(Past(history, asked, NOW))

    assert told[0].number == 5
    assert (told[0].by, told[0].by_url) == (None, None)
    assert len(told) == 3


# --- what else is under way -------------------------------------------------------------------


def test_open_pulls_that_change_the_same_files_are_told_the_rarest_files_first() -> None:
    history = after(*(written(n, "busy.py") for n in range(1, 30)), written(40, "rare.py"))
    asked = opened("busy.py", "rare.py", "go.sum", number=1)
    others = [
        opened("busy.py", number=2, title="Tune"), opened("rare.py", number=3),
        opened("go.sum", number=4), written(5, "rare.py"), asked,
    ]  # fmt: skip

    told = under_way(Past(history, asked, NOW), open_works(others))

    assert [(each.number, each.paths) for each in told] == [(3, ("rare.py",)), (2, ("busy.py",))]
    assert told[1].text == "#2 (Tune) changes busy.py too"
    everyones = after(*(written(n, "CHANGES.md", "rare.py") for n in range(1, 40)))
    asked_too = opened("CHANGES.md", number=1)
    assert (
        under_way(Past(everyones, asked_too, NOW), open_works([opened("CHANGES.md", number=2)]))
        == ()
    )
    assert under_way(Past(after(), asked, NOW), open_works(others)) != ()


# --- the index --------------------------------------------------------------------------------


def test_source_files_are_told_before_what_goes_with_them() -> None:
    asked = opened("tests/snapshots/a.snap", "src/a.py", number=1)
    other = opened("tests/snapshots/a.snap", "src/a.py", number=2)
    (told,) = under_way(Past(after(), asked, NOW), open_works([other]))
    assert told.text.endswith("changes src/a.py and tests/snapshots/a.snap too")


def test_the_index_is_kept_with_the_history_and_takes_in_what_is_new() -> None:
    history = after(written(1, "a.py"))
    index = index_of(history)
    for event in (written(2, "a.py"), fix(3, 2, "a.py")):
        history.observe(event)

    assert index_of(history) is index
    fresh = index_of(RepositoryHistory.load(history.save()))
    for each in (index, fresh):
        assert list(each.rows_of(0)) == [0, 1, 2]
        assert len(each.repairs_of(0)) == 1


def test_a_restored_history_tells_the_same() -> None:
    read = (Review("rita", "approved", START),)
    history = after(
        *(written(n, "src/a.py", "tests/test_a.py", reviews=read) for n in range(1, 9)),
        fix(20, 8, "src/a.py", "tests/test_a.py"),
    )
    restored = RepositoryHistory.load(history.save())
    asked = opened("src/a.py", "src/b.py", author="new")
    for part in (places, missing, reviewers, precedents):
        told = part(Past(history, asked, NOW))
        assert told == part(Past(restored, asked, NOW))
        assert told != ()


def test_nothing_is_told_of_a_pull_without_files_or_a_history_without_pulls() -> None:
    for part in (places, missing, reviewers, precedents):
        assert part(Past(after(), opened("a.py"), NOW)) == ()
        without = replace(opened("a.py"), files=None)
        assert part(Past(after(written(1, "a.py")), without, NOW)) == ()
