"""Sentences name what they are about, are true as of the moment, and reproach nobody."""

import re

import pytest
from msgspec.structs import replace

from pullrisk.brief.case import DOWN, UP, Sentence
from pullrisk.brief.facts import FACTS
from pullrisk.brief.past import Past
from pullrisk.brief.sentences import SENTENCES
from support.past_pulls import NOW, case_of, history, pull, renamed

LOCK = "src/net/lock.py"
WROTE = pull(11, LOCK, day=91, added=60)


def said(kind: str, *arguments: object, **options: object) -> Sentence:
    found = SENTENCES[kind](case_of(*arguments, **options))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_young_lines_name_the_pull_that_wrote_most_of_them_and_its_age() -> None:
    found = said("young lines", pull(20, LOCK, rewrites=((11, 42),)), WROTE)
    assert found.text == "rewrites 42 lines that #11 wrote 9 days ago"
    assert (found.number, found.path, found.lines, found.direction) == (11, LOCK, 42, UP)


def test_young_lines_of_several_pulls_are_counted_together() -> None:
    other = pull(12, LOCK, day=95)
    asked = pull(20, LOCK, rewrites=((11, 30), (12, 12)))
    assert said("young lines", asked, WROTE, other).text == (
        "rewrites 42 lines of the last 90 days, 30 of them that #11 wrote 9 days ago"
    )


def test_lines_of_a_direct_push_have_no_number() -> None:
    push = renamed(pull(1, LOCK, day=95), number=-77)
    found = said("young lines", pull(20, LOCK, rewrites=((-77, 5),)), WROTE, push)
    assert found.text == "rewrites 5 lines that a direct push wrote 5 days ago"
    assert found.number is None


FIX = pull(13, LOCK, day=95, title="Fix the lock", rewrites=((11, 3),))


def test_lines_of_a_pull_that_was_repaired_name_it_and_the_repair() -> None:
    asked = pull(20, LOCK, rewrites=((11, 8),))
    found = said("repaired lines", asked, WROTE, FIX)
    assert found.text == "rewrites 8 lines of #11, which needed a fix after 4 days (#13)"


def test_a_file_that_was_repaired_says_how_often_and_by_whom_last() -> None:
    found = said("repaired files", pull(20, LOCK), WROTE, FIX)
    assert found.text == (f"1 of the last 2 changes of {LOCK} needed a fix (last: #13, 5 days ago)")
    assert (found.path, found.number) == (LOCK, 13)


def test_lines_of_several_repaired_pulls_tell_when_the_last_of_them_was_repaired() -> None:
    other = pull(12, LOCK, day=92)
    again = pull(14, LOCK, day=97, title="Fix it", rewrites=((12, 3),))
    asked = pull(20, LOCK, rewrites=((11, 8), (12, 2)))
    assert said("repaired lines", asked, WROTE, other, FIX, again).text == (
        "rewrites 10 lines of #11 and 1 other pull that needed a fix or were reverted, "
        "last 3 days ago"
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [("young lines", "removes 42 lines that #11 wrote 9 days ago"),
     ("own lines", "all lines that it removes are the author's own"),
     ("size", "removes 42 lines of code (usually none)")],
)  # fmt: skip
def test_a_change_without_new_code_removes_lines_and_rewrites_none(kind: str, text: str) -> None:
    assert said(kind, pull(20, LOCK, added=0, rewrites=((11, 42),)), WROTE).text == text


def test_a_new_file_was_not_changed_long_ago() -> None:
    new = pull(20, "src/net/new.py")
    assert SENTENCES["busy files"](case_of(new, WROTE)) is None
    idle = said("busy files", pull(20, LOCK), pull(11, LOCK, day=1))
    assert idle.text == "its files last changed 3 months ago"


def test_what_came_after_the_moment_is_not_told() -> None:
    merged = pull(12, LOCK, day=93, rewrites=((11, 8),))
    case = case_of(merged, WROTE)
    later = case_of(merged, WROTE)
    assert SENTENCES["repaired files"](later) == SENTENCES["repaired files"](case)
    seen = history(WROTE, merged, FIX)
    past = Past(seen, merged, merged.merged_at or NOW)
    assert past.rows == 1
    told = past.file(LOCK)
    assert told is not None
    assert (told.changes, told.repaired) == (1, 0)
    writer = past.writer(11)
    assert writer is not None
    assert writer.trouble is None
    assert past.writer(13) is None


def test_lines_that_a_fix_wrote_name_the_fix() -> None:
    found = said("lines of fixes", pull(20, LOCK, rewrites=((13, 4),)), WROTE, FIX)
    assert found.text == "rewrites 4 lines that a fix wrote (#13)"


def test_missing_tests_are_told_beside_what_pulls_there_usually_do() -> None:
    before = [pull(number, LOCK, "tests/test_lock.py", day=number) for number in range(30, 39)]
    before.append(pull(40, LOCK, day=50))
    found = said("tests", pull(50, LOCK), *before)
    assert found.text == (
        f"no test changes with {LOCK}: 9 of its last 10 changes had one, mostly in tests/"
    )
    assert said("tests", pull(50, LOCK), *before[-1:]).text == "changes no test file"
    assert said("tests", pull(50, LOCK, "tests/test_a.py"), *before).direction == DOWN


def test_code_is_counted_with_the_file_that_takes_most_of_it_beside_the_usual() -> None:
    found = said("size", pull(20, LOCK, added=312), usual={"code_added": 24.0})
    assert found.text == f"adds 312 lines of code to {LOCK} (usually 24)"
    less = said("size", pull(20, LOCK, added=3), usual={"code_added": 24.0})
    assert (less.text, less.direction) == ("adds 3 lines of code (usually 24)", DOWN)


def test_the_size_is_one_sentence_with_the_usual() -> None:
    usual = {"code_added": 24.0, "code_files": 3.0, "changed_files": 3.0, "directories": 2.0}
    asked = renamed(pull(20, LOCK, "src/net/a.py", "src/net/b.py", added=30))
    found = said("size", asked, usual=usual, code_added=90.0)
    assert found.text == "adds 90 lines of code in 3 files (usually 24 in 3 files)"
    many = [f"src/m{number}/a.py" for number in range(9)]
    found = said("size", pull(20, *many, added=0), usual={**usual, "code_added": 0.0})
    assert found.text == "changes 9 files in 9 directories (usually 3 files in 2 directories)"
    one = {"changed_files": 1.0, "directories": 1.0}
    removed = said("size", pull(20, LOCK, added=0, rewrites=((11, 50),)), WROTE, usual=one)
    assert removed.text == "removes 50 lines of code (usually none)"


def test_files_without_code_take_no_part_of_it() -> None:
    asked = pull(20, LOCK, "src/net/a.py", "README.md", "tests/test_lock.py", added=30)
    assert asked.files is not None
    code = [replace(file, code_added=None) for file in asked.files[2:]]
    asked = renamed(asked, files=(*asked.files[:2], *code))
    found = said("size", asked, code_added=60.0, usual={"code_added": 4.0, "code_files": 1.0})
    assert (
        found.text
        == "adds 60 lines of code in 2 files, 30 of them to src/net/lock.py (usually 4 in 1 file)"
    )


def test_an_author_who_is_new_to_a_directory_is_told_so_neutrally() -> None:
    other = pull(12, "docs/a.md", day=92, author="bob")
    found = said("new to the files", pull(20, LOCK, author="bob"), WROTE, other)
    assert found.text == "the first time this author works in src/net/"
    known = pull(12, "src/net/b.py", day=92, author="bob")
    theirs = pull(13, "src/net/a.py", day=93)
    asked = pull(20, LOCK, "src/net/a.py", author="bob")
    both = said("new to the files", asked, WROTE, known, theirs)
    assert both.text == "all of its 2 files are new to the author"


def test_a_busy_file_is_named() -> None:
    before = [pull(30 + number, LOCK, day=60 + 5 * number) for number in range(7)]
    found = said("busy files", pull(50, LOCK), *before, usual={"file_heat_max": 1.0})
    assert found.text == f"{LOCK} changed 7 times in the last six weeks (usually 1)"


UNKIND = re.compile(r"fail|bad|careless|poor|wrong|worst|sine|odds|score|hot\b|trouble", re.I)


@pytest.mark.parametrize("kind", FACTS)
def test_every_sentence_holds_without_a_history_lines_or_files(kind: str) -> None:
    bare = renamed(pull(20), files=None, lines=None, additions=None, deletions=None)
    for asked in (bare, renamed(bare, files=()), pull(20, LOCK, rewrites=((5, 3), (0, 2)))):
        found = SENTENCES[kind](case_of(asked))
        assert found is None or not UNKIND.search(found.text)


@pytest.mark.parametrize("kind", FACTS)
def test_no_sentence_reproaches_or_speaks_statistics(kind: str) -> None:
    asked = pull(20, LOCK, "tests/test_lock.py", rewrites=((11, 8), (13, 2)))
    found = SENTENCES[kind](case_of(asked, WROTE, FIX))
    assert found is None or not UNKIND.search(found.text)
