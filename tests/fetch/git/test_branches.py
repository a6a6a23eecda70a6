"""The branches of a clone beside a pull, and the hunks of both."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullrisk.fetch.git.branches import Branch, UnmergedBranches, has_landed, is_related
from pullrisk.fetch.git.difference import (
    difference_of,
    merged_difference,
    open_difference,
    shared_lines,
)
from pullrisk.fetch.git.open_lines import hunks_of
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.lines import ChangedHunk
from pullrisk.pulls.record import ChangedFile, Pull
from support.repositories import Repository

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
LINES = [b"line_%d = 1\n" % number for number in range(30)]


def text(**changed: bytes) -> bytes:
    """The file with other lines: `_4=b"x = 2\\n"` is that of line 4, counted from 0."""
    lines = [changed.get(f"_{place}", line) for place, line in enumerate(LINES)]
    return b"".join(lines)


class Clone(Repository):
    """The branch main with a.py, and whatever branches a test makes of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.base = self.commit({"a.py": text(), "b.py": b"b = 1\n"})
        self.reader = Git(self.path)

    def branch(self, name: str, files: dict[str | bytes, bytes | None], start: str = "main") -> str:
        self.git("checkout", "-q", "-b", name, start)
        head = self.commit(files)
        self.git("checkout", "-q", "main")
        return head

    def unmerged(self, **moments: datetime) -> list[Branch]:
        moments = {"since": MOMENT, "until": datetime.now(UTC) + timedelta(days=1), **moments}
        return list(UnmergedBranches(self.reader, self.reader.head("main")).between(**moments))

    def overlap(self, one: str, other: str, path: str = "a.py") -> bool:
        differences = [
            difference_of(self.reader, self.git("merge-base", "main", head), head)
            for head in (one, other)
        ]
        ours, theirs = (each for each in differences if each is not None)
        return shared_lines(self.reader, ours, theirs, path)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "r")


def test_branches_that_are_not_merged_are_listed_but_none_that_is_kept(clone: Clone) -> None:
    clone.branch("fix", {"a.py": text(_3=b"x\n")})
    clone.branch("done", {"b.py": b"b = 2\n"})
    for kept in ("release-1.2", "release/2.x", "v3", "2.0.x", "42-x-y", "stable", "gh-pages"):
        clone.branch(kept, {f"{kept.replace('/', '-')}.md": b"x\n"})
    clone.git("merge", "-q", "--no-ff", "done")
    clone.git("update-ref", "refs/remotes/origin/fix", "fix")

    (found,) = clone.unmerged()
    assert (found.name, found.start) == ("fix", clone.base)
    assert UnmergedBranches(clone.reader, clone.base).paths(found) == {"a.py"}


def test_what_began_from_a_branch_that_is_kept_goes_back_there(clone: Clone) -> None:
    clone.branch("release/2.x", {"b.py": b"b = 2\n"})
    clone.branch("older-fix", {"a.py": text(_3=b"x\n")}, start="release/2.x")
    clone.branch("fix", {"a.py": text(_3=b"x\n")})
    branches = UnmergedBranches(clone.reader, clone.base)
    told = {
        each.name: branches.is_of_long_lived(each)
        for each in branches.between(MOMENT, datetime.now(UTC) + timedelta(days=1))
    }
    assert told == {"older-fix": True, "fix": False}


def test_a_branch_counts_while_it_is_young_and_was_there_at_the_moment(clone: Clone) -> None:
    clone.branch("fix", {"a.py": text(_3=b"x\n")})
    later = datetime.now(UTC) + timedelta(days=9)
    assert clone.unmerged(since=later, until=later) == []
    assert clone.unmerged(until=MOMENT) == []


def test_the_same_work_and_what_builds_on_it_is_nothing_else(clone: Clone) -> None:
    own = clone.branch("own", {"a.py": text(_3=b"x\n")})
    clone.branch("above", {"a.py": text(_3=b"x\n", _9=b"y\n")}, start="own")
    clone.branch("other", {"a.py": text(_9=b"y\n")})
    related = {
        each.name: is_related(clone.reader, clone.base, each, own) for each in clone.unmerged()
    }
    assert related == {"own": True, "above": True, "other": False}


def test_a_squashed_branch_has_landed(clone: Clone) -> None:
    clone.branch("fix", {"a.py": text(_3=b"x\n"), "b.py": b"b = 3\n"})
    (branch,) = clone.unmerged()
    paths = frozenset({"a.py", "b.py"})
    assert not has_landed(clone.reader, branch, clone.base, paths)
    clone.commit({"a.py": text(_3=b"x\n"), "b.py": b"b = 3\n"})
    head = clone.commit({"a.py": text(_3=b"x\n", _20=b"later\n")})
    assert has_landed(clone.reader, branch, head, paths)


def test_who_removes_a_file_changes_all_of_its_lines(clone: Clone) -> None:
    gone = clone.branch("gone", {"a.py": None})
    other = clone.branch("other", {"a.py": text(_9=b"y\n")})
    assert clone.overlap(gone, other)
    assert clone.overlap(other, gone)
    moved = clone.branch("moved", {"a.py": None, "c.py": text()})
    assert not clone.overlap(moved, other), "git merges these two without a conflict"
    assert not clone.overlap(gone, clone.branch("elsewhere", {"b.py": b"b = 2\n"}))


@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        (text(_4=b"x\n"), True),
        (text(_7=b"x\n"), False),
        (text(_5=b"y\nz\n"), True),
        (text(_20=b"y\n"), False),
    ],
    ids=["the line", "one beside", "another of them", "far away"],
)
def test_two_branches_change_the_same_lines_wherever_these_have_moved(
    clone: Clone, theirs: bytes, same: bool
) -> None:
    own = clone.branch("own", {"a.py": text(_4=b"new\n", _5=b"new\n")})
    clone.commit({"a.py": b"# a head\n# of two lines\n" + text()})
    other = clone.branch("other", {"a.py": b"# a head\n# of two lines\n" + theirs})
    assert clone.overlap(own, other) is same
    assert clone.overlap(other, own) is same


def test_two_new_files_of_one_name_collide(clone: Clone) -> None:
    own = clone.branch("own", {"new.py": b"a = 1\n"})
    other = clone.branch("other", {"new.py": b"b = 1\n"})
    assert clone.overlap(own, other, "new.py")
    assert not clone.overlap(own, other, "a.py")


def pull_of(clone: Clone, head: str, **fields: object) -> Pull:
    known = {"head_sha": head, **fields}
    return Pull(repository="o/r", number=9, created_at=MOMENT, updated_at=MOMENT, **known)  # type: ignore[arg-type]


def test_hunks_know_their_new_lines_and_whose_the_old_ones_were(clone: Clone) -> None:
    written = clone.commit({"a.py": text(_4=b"four = 1\n")})
    after = text(_4=b"four = 2\nmore = 2\n", _9=b"", _20=LINES[20] + b"new = 1\n")
    head = clone.branch("topic", {"a.py": after, "new.py": b"n = 1\n"})
    numbers = {clone.base: 1, written: 2}

    difference = open_difference(clone.reader, pull_of(clone, head), written)
    assert difference is not None
    assert hunks_of(clone.reader, difference, "a.py", numbers) == [
        ChangedHunk(5, 6, added=2, removed=1, rewrites=((2, 1),)),
        ChangedHunk(10, 10, added=0, removed=1, rewrites=((1, 1),)),
        ChangedHunk(22, 22, added=1, removed=0, neighbours=(1,)),
    ]
    (new,) = hunks_of(clone.reader, difference, "new.py", numbers)
    assert (new.first, new.last, new.rewrites) == (1, 1, ())
    assert hunks_of(clone.reader, difference, "b.py", numbers) == []


def test_a_merged_pull_is_what_its_merge_changed_if_that_is_all_of_it(clone: Clone) -> None:
    clone.commit({"b.py": b"b = 2\n"})
    last = clone.commit({"a.py": text(_4=b"x\n")})
    files = (ChangedFile("a.py", "modified", 1, 1),)
    merged = {"merge_sha": last, "merged_at": MOMENT, "closed_at": MOMENT}
    difference = merged_difference(clone.reader, pull_of(clone, last, files=files, **merged))
    assert difference is not None
    assert difference.file("a.py") is not None
    rebased = (*files, ChangedFile("b.py", "modified", 1, 1))
    assert merged_difference(clone.reader, pull_of(clone, last, files=rebased, **merged)) is None
