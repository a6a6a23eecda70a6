"""What rewritten lines, changed code and the record of repairs tell of a pull."""

import math

import pytest

from pullrisk.pulls.lines import TOKENS, ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull
from support.histories import after, pull, row

FILE = ChangedFile("src/app.py", "modified", 10, 5, None, 8, 4)
OTHER = ChangedFile("src/core/engine.py", "modified", 10, 5, None, 8, 4)


def writing(number: int, *, day: float, author: str = "ada", **changes: object) -> Pull:
    """A pull that adds ten code lines."""
    facts = {"lines": ChangedLines(rewrites=(), neighbours=(), code_added=10), "files": (FILE,)}
    return pull(number, day=day, author=author, **{**facts, **changes})


def rewriting(number: int, *origins: Origin, day: float, **changes: object) -> Pull:
    """A pull that rewrites and inserts beside lines of these origins."""
    lines = ChangedLines(rewrites=origins, neighbours=origins, code_added=1, code_removed=9)
    return pull(number, day=day, **{"lines": lines, "files": (FILE,), **changes})


def push(*, day: float, author: str = "bob", **changes: object) -> Pull:
    return pull(-7, day=day, author=author, **changes)


def test_rewritten_lines_are_told_by_author_and_age() -> None:
    history = after(
        writing(1, day=1), writing(2, day=750, author="bob"), writing(3, day=800), push(day=810)
    )
    origins = (Origin(1, 8), Origin(2, 4), Origin(3, 2), Origin(-7, 2), Origin(0, 4))
    found = row(history, rewriting(9, *origins, day=820))

    numbers = {"own": 10, "month": 4, "quarter": 8, "old": 8}
    assert {name: found[f"rewritten_{name}"] for name in numbers} == numbers
    assert found["rewritten_month_share"] == found["beside_month_share"] == 0.2
    assert (found["rewritten_own_share"], found["rewritten_old_share"]) == (0.5, 0.4)
    assert (found["rewritten_origins"], found["rewritten_authors"]) == (4, 2)
    assert (found["rewritten_age_min"], found["beside_age_min"]) == (10, 10)
    assert found["rewritten_age"] == (8 * 819 + 4 * 70 + 2 * 20 + 2 * 10) / 16


def test_a_pull_that_rewrites_nothing_rewrites_no_young_line() -> None:
    found = row(after(writing(1, day=1)), rewriting(2, day=2))

    assert (found["rewritten_month"], found["rewritten_month_share"]) == (0, 0)
    assert found["rewritten_age"] == found["rewritten_age_min"] == 3_650


def test_lines_that_a_fix_wrote_are_told() -> None:
    history = after(writing(1, day=1, title="Fix a crash"), writing(2, day=2))
    found = row(history, rewriting(3, Origin(1, 3), Origin(2, 1), day=3))

    assert (found["rewritten_fixes"], found["rewritten_fixes_share"]) == (3, 0.75)


@pytest.mark.parametrize("number", [1, -7])
def test_lines_of_what_needed_a_fix_are_told_from_the_fix_on(number: int) -> None:
    written = writing(1, day=1) if number > 0 else push(day=1)
    fix = rewriting(2, Origin(number, 2, 0), day=5, title="Fix a crash")
    asked = rewriting(3, Origin(number, 4), day=9)
    before, later = row(after(written), asked), row(after(written, fix), asked)

    assert (before["rewritten_troubled"], later["rewritten_troubled"]) == (0, 4)
    assert (before["beside_repairs"], later["beside_repairs"]) == (0, 1)


def test_lines_of_what_was_reverted_are_told_from_the_revert_on() -> None:
    revert = pull(2, day=2, title='Revert "Change 1"', body="Reverts owner/name#1")
    asked = rewriting(3, Origin(1, 4), day=9)

    assert row(after(writing(1, day=1)), asked)["rewritten_troubled"] == 0
    assert row(after(writing(1, day=1), revert), asked)["rewritten_troubled"] == 4


def test_a_repair_counts_for_the_pull_s_author_and_the_repaired_file_alone() -> None:
    written = writing(1, day=1, author="eve", files=(FILE, OTHER))
    fix = rewriting(2, Origin(1, 2, 0), day=5, title="Fix a crash", files=(FILE,))
    seen = after(written, fix)
    repaired = row(seen, writing(3, day=15, author="eve", files=(FILE,)))
    spared = row(seen, writing(3, day=15, author="bob", files=(OTHER,)))

    assert (repaired["author_repairs"], spared["author_repairs"]) == (1, 0)
    assert repaired["author_repair_rate"] > spared["author_repair_rate"]
    assert repaired["file_repair_rate_max"] > spared["file_repair_rate_max"]
    assert (repaired["days_since_file_repair"], spared["days_since_file_repair"]) == (10, 3_650)
    assert repaired["repository_repair_rate"] > row(after(written), fix)["repository_repair_rate"]


def test_a_pull_counts_as_repaired_once_and_only_within_90_days() -> None:
    fixes = [
        rewriting(number, Origin(1, 2, 0), day=day, title="Fix a crash", author="bob")
        for number, day in ((2, 80), (3, 85), (4, 95))
    ]
    asked, written = writing(9, day=99), writing(1, day=1)

    assert row(after(written, *fixes), asked)["author_repairs"] == 1
    assert row(after(written, fixes[-1]), asked)["author_repairs"] == 0
    assert row(after(written, fixes[-1]), asked)["days_since_file_repair"] == 4


def test_a_renamed_file_keeps_its_record_of_repairs() -> None:
    fix = rewriting(2, Origin(1, 2, 0), day=5, title="Fix a crash")
    moved = ChangedFile("src/new.py", "renamed", 1, 1, "src/app.py", 1, 1)
    fixed_and_moved = rewriting(2, Origin(1, 2, 0), day=5, title="Fix a crash", files=(moved,))
    as_new = writing(3, day=15, files=(ChangedFile("src/new.py", "modified", 1, 1),))

    assert row(after(writing(1, day=1), fix), writing(3, day=15, files=(moved,)))[
        "days_since_file_repair"
    ] == pytest.approx(10)
    assert row(after(writing(1, day=1), fixed_and_moved), as_new)["days_since_file_repair"] == 10


def test_patches_alone_are_no_record_without_repairs() -> None:
    """A webhook's patches tell how much code a pull adds, and of no later one whose it removes."""
    counted = ChangedLines(code_added=10)
    asked = rewriting(9, day=9)
    alone = row(after(*(writing(number, day=1, lines=counted) for number in range(1, 6))), asked)
    assert math.isnan(alone["repository_repair_rate"])
    assert math.isnan(alone["author_repair_rate"])
    known = [writing(number, day=1) for number in range(6, 9)]
    beside = after(*known, *(writing(number, day=2, lines=counted) for number in range(1, 6)))
    assert (
        row(beside, asked)["repository_repair_rate"]
        == row(after(*known), asked)["repository_repair_rate"]
    )
    fix = writing(1, day=2, title="Fix the pump", lines=counted)
    assert row(after(fix), rewriting(9, Origin(1, 3), day=9))["rewritten_fixes"] == 3


def test_repairs_are_unknown_to_a_history_that_knows_no_lines() -> None:
    found = row(after(pull(1)), writing(2, day=2))
    assert math.isnan(found["file_repair_rate_max"])
    assert math.isnan(found["author_repairs"])


def test_only_pulls_known_to_add_code_could_have_been_repaired() -> None:
    fix = rewriting(2, Origin(1, 2, 0), day=5, title="Fix a crash", author="bob")
    blind = [pull(number, day=6) for number in range(3, 30)]
    asked, written = writing(99, day=9), writing(1, day=1)

    few, many = (row(after(written, fix, *more), asked) for more in ([], blind))
    assert many["author_repair_rate"] == few["author_repair_rate"]


def test_the_tests_beside_the_code_are_told() -> None:
    files = (FILE, OTHER, ChangedFile("tests/test_app.py", "modified", 30, 2))
    lines = ChangedLines(code_added=10, code_removed=30, hunks_added=1, hunks_changed=3)
    found = row(after(), writing(1, day=1, files=files, lines=lines))

    assert (found["test_lines_added"], found["test_growth"]) == (30, 0.75)
    assert (found["code_files"], found["largest_file_code"]) == (2, 8)
    assert (found["code_growth"], found["code_per_hunk"]) == (0.25, 2.5)


def test_tokens_are_counted_and_balanced() -> None:
    added = tuple(3 if name == "loop" else 0 for name in TOKENS)
    removed = tuple(1 if name in {"loop", "call"} else 0 for name in TOKENS)
    lines = ChangedLines(code_added=1, tokens_added=added, tokens_removed=removed)
    found = row(after(), writing(1, day=1, lines=lines))

    assert (found["loop_added"], found["loop_balance"]) == (3, 0.5)
    assert (found["call_added"], found["call_balance"]) == (0, -1)
    assert found["condition_balance"] == 0


def test_lines_are_the_author_s_own_under_any_name() -> None:
    robot = writing(1, day=1, author="ada@home", author_names=("login:ada",))
    found = row(after(robot, writing(2, day=2)), rewriting(3, Origin(1, 5), day=3))

    assert found["rewritten_own"] == 5
