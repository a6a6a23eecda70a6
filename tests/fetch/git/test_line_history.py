"""Who wrote each line, against what `git blame --first-parent` says of repositories made here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullrisk.fetch.git import line_history
from pullrisk.fetch.git.line_fold import BranchState
from pullrisk.fetch.git.line_history import LineHistory
from pullrisk.fetch.git.patches import FilePatch, Hunk, Patch, read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.saved_lines import DamagedLinesError, SavedLines
from pullrisk.pulls.lines import MAX_ORIGINS, ChangedLines, Origin
from support.repositories import git, git_bytes

LISTED = ("ls-tree", "-r", "-z", "--name-only", "main")
Change = Mapping[str, "str | bytes | tuple[str, str | bytes] | None"]
"""What a commit does: path → contents, (mode, contents), or None for a file that it removes."""


def _command(path: str, change: Any) -> bytes:
    if change is None:
        return f'D "{path}"\n'.encode()
    mode, contents = change if isinstance(change, tuple) else ("100644", change)
    if mode == "160000":
        return f'M 160000 {contents} "{path}"\n'.encode()
    data = contents.encode() if isinstance(contents, str) else contents
    return f'M {mode} inline "{path}"\ndata {len(data)}\n'.encode() + data + b"\n"


def make(path: Path, commits: Sequence[Change], *, side: Mapping[int, Change] = {}) -> Path:
    """A bare repository with these commits; those in `side` are merged into the one after it."""
    git(path.parent, "init", "-q", "--bare", "-b", "main", str(path))
    stream = bytearray()
    for place, change in enumerate(commits, 1):
        who = f"committer A <a@x.org> {1_700_000_000 + place * 60} +0000\ndata 1\nm"
        if place in side:
            start = f"from :{place - 1}\n" if place > 1 else ""
            stream += f"commit refs/heads/side\nmark :{1000 + place}\n{who}\n{start}".encode()
            stream += b"".join(_command(name, each) for name, each in side[place].items())
        stream += f"commit refs/heads/main\nmark :{place}\n{who}\n".encode()
        stream += f"from :{place - 1}\n".encode() if place > 1 else b""
        stream += f"merge :{1000 + place}\n".encode() if place in side else b""
        stream += b"".join(_command(name, each) for name, each in change.items())
    git(path, "fast-import", "--quiet", "--force", stdin=bytes(stream))
    return path


def line_of(path: Path) -> list[str]:
    """The branch's own commits, oldest first."""
    return git(path, "rev-list", "--first-parent", "--reverse", "main").split()


def folded(path: Path) -> tuple[LineHistory, list[str]]:
    """The history whose origins are places on the branch, counted from 1, and its commits."""
    shas, history = line_of(path), LineHistory()
    for place, patch in enumerate(read_patches(Git(path), shas), 1):
        history.observe(patch, place)
    return history, shas


def told(history: LineHistory) -> dict[str, list[int]]:
    return {
        path: [history.numbers[entry] for entry in lines]
        for path, lines in history.files.items()
        if lines
    }


def blamed(path: Path, shas: Sequence[str]) -> dict[str, list[int]]:
    """The same of every file with lines, as git blame has it."""
    files: dict[str, list[int]] = {}
    for name in git_bytes(path, *LISTED).decode().split("\0")[:-1]:
        blame = git_bytes(path, "blame", "--first-parent", "-l", "-s", "--root", "main", "--", name)
        # a name that the file had before stands between the commit and the number of the line
        lines = [line.split()[0].decode() for line in blame.split(b"\n")[:-1]]
        if lines:
            files[name] = [shas.index(sha) + 1 for sha in lines]
    return files


def numbered(*numbers: object, end: str = "\n") -> str:
    return "".join(f"line {number} of its kind{end}" for number in numbers)


CASES: dict[str, list[Change]] = {
    "hunks at both ends and between": [
        {"a.py": numbered(*range(30))},
        {"a.py": numbered("x", *range(1, 10), "y", "z", *range(12, 29), "e", "f")},
        {"a.py": numbered(*range(1, 10), "z", *range(12, 20), "n", *range(20, 29), "e")},
    ],
    "a file becomes empty and full again": [
        {"a.py": numbered(1, 2)},
        {"a.py": ""},
        {"a.py": numbered(3)},
    ],
    "removed and made anew": [
        {"a.py": numbered(1, 2)},
        {"a.py": None, "b.py": numbered(9)},
        {"a.py": numbered(1, 2)},
    ],
    "renamed with an edit": [
        {"a.py": numbered(*range(20))},
        {"a.py": None, "d/b.py": numbered(*range(9), "x", *range(10, 20))},
        {"d/b.py": numbered("y", *range(9), "x", *range(10, 20))},
    ],
    "renamed over another": [
        {"a.py": numbered(*range(20)), "b.py": numbered(*range(50, 60))},
        {"a.py": None, "b.py": numbered(*range(20))},
    ],
    "renamed, and another one takes the name": [
        {"a.py": numbered(*range(20))},
        {"a.py": None, "b.py": numbered(*range(20))},
        {"a.py": numbered(*range(40, 60))},
        {"b.py": numbered(*range(19)), "a.py": numbered(*range(41, 60))},
    ],
    "copied": [
        {"a.py": numbered(*range(20))},
        {"b.py": numbered(*range(20))},
        {"a.py": numbered(*range(1, 20))},
    ],
    "a mode changes": [
        {"a.py": numbered(1, 2)},
        {"a.py": ("100755", numbered(1, 2))},
        {"a.py": ("100755", numbered(1, 3))},
    ],
    "no newline at the end": [
        {"a.py": numbered(1) + "last"},
        {"a.py": numbered(1) + "last\nmore"},
        {"a.py": numbered(1) + "last\nmore\n"},
    ],
    "line ends change": [
        {"a.py": numbered(*range(5), end="\r\n")},
        {"a.py": numbered(0, 1) + numbered(2, 3, 4, end="\r\n")},
        {"a.py": numbered(*range(5))},
    ],
    "odd names": [
        {"a b.py": numbered(1), "ä.py": numbered(2), "x\\ty.py": numbered(3)},
        {"a b.py": numbered(1, 4), "ä.py": numbered(5, 2), "x\\ty.py": numbered(6, 3)},
    ],
    "lines that look like a patch": [
        {"a.py": "-- a/b\n++ b/c\n@@ -1 +1 @@\ndiff --git a/x b/x\n" + numbered(1)},
        {"a.py": "-- a/b\n@@ -1,9 +1,9 @@\n" + numbered(1, 2) + "++ b/d\n"},
        {"a.py": numbered(1, 2) + "++ b/d\n-- c\n"},
    ],
    "a submodule beside files": [
        {"a.py": numbered(1)},
        {"sub": ("160000", "1" * 40), "a.py": numbered(1, 2)},
        {"sub": None, "a.py": numbered(0, 1, 2)},
    ],
    "a commit that changes nothing": [{"a.py": numbered(1)}, {}, {"a.py": numbered(1, 2)}],
}  # fmt: skip


@pytest.mark.parametrize("commits", CASES.values(), ids=CASES)
def test_lines_are_of_whom_git_blames(tmp_path: Path, commits: list[Change]) -> None:
    path = make(tmp_path / "r.git", commits)
    history, shas = folded(path)
    assert told(history) == blamed(path, shas)


def test_lines_that_only_a_merge_has_are_the_merges(tmp_path: Path) -> None:
    commits = [
        {"a.py": numbered(*range(10))},
        {"a.py": numbered(*range(10), "main")},
        {"a.py": numbered("side", *range(5), "evil", *range(5, 10), "main"), "n.py": numbered(1)},
        {"a.py": numbered("side", *range(5), "evil", *range(6, 10), "main", 11)},
    ]
    side = {3: {"a.py": numbered("side", *range(10)), "n.py": numbered(1)}}
    path = make(tmp_path / "r.git", commits, side=side)
    history, shas = folded(path)
    assert told(history) == blamed(path, shas)
    assert told(history)["a.py"] == [3, *[1] * 5, 3, *[1] * 4, 2, 4]


def test_a_file_that_was_binary_has_unknown_lines_until_they_are_written_again(
    tmp_path: Path,
) -> None:
    path = make(
        tmp_path / "r.git",
        [
            {"a.py": numbered(1, 2, 3)},
            {"a.py": b"\0" + numbered(1, 2, 3).encode()},
            {"a.py": numbered(1, 2, 3)},
            {"a.py": numbered(1, 2, 3, 4)},
        ],
    )
    history, _ = folded(path)
    assert told(history)["a.py"] == [0, 0, 0, 4]


def test_a_link_is_another_file(tmp_path: Path) -> None:
    commits: list[Change] = [
        {"a.py": numbered(1, 2)},
        {"a.py": ("120000", "b.py")},
        {"a.py": numbered(1, 2)},
    ]
    history, _ = folded(make(tmp_path / "r.git", commits))
    assert told(history) == {"a.py": [3, 3]}


# --- what is told of a patch ------------------------------------------------------------------


def patch(*files: FilePatch, unreadable: int = 0) -> Patch:
    return Patch("0" * 40, list(files), ChangedLines(), unreadable)


def new(path: str, lines: int) -> FilePatch:
    hunks = [Hunk(0, 0, 1, lines, b"", lines)]
    return FilePatch(path, None, "added", hunks=hunks, counted=True)


def changed(path: str, *hunks: Hunk, counted: bool = True) -> FilePatch:
    return FilePatch(path, path, hunks=list(hunks), counted=counted)


def observed(history: LineHistory, made: Patch, number: int) -> ChangedLines:
    names = [file.path or file.previous or "" for file in made.files]
    places = {name: place for place, name in enumerate(names)}
    return history.origins(history.observe(made, number), places, made.counts)


def test_only_removed_code_lines_are_rewrites() -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 4)), 7)
    history.observe(patch(changed("a.py", Hunk(4, 0, 5, 2, b"", 2))), -8)
    lines = observed(history, patch(changed("a.py", Hunk(3, 4, 3, 1, b"\1\0\1\1", 1))), 9)
    assert lines.rewrites == (Origin(-8, 2, 0), Origin(7, 1, 0))
    assert lines.neighbours == ()
    assert told(history) == {"a.py": [7, 7, 9]}


@pytest.mark.parametrize(
    ("at", "neighbours"),
    [
        (0, (Origin(7, 1, 0),)),
        (1, (Origin(7, 1, 0),)),
        (2, (Origin(7, 1, 0), Origin(8, 1, 0))),
        (4, (Origin(8, 1, 0),)),
    ],
)
def test_an_insertion_lies_beside_the_lines_before_and_after(
    at: int, neighbours: tuple[Origin, ...]
) -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 2)), 7)
    history.observe(patch(changed("a.py", Hunk(2, 0, 3, 2, b"", 2))), 8)
    insertion = patch(changed("a.py", Hunk(at, 0, at + 1, 1, b"", 1)))
    assert observed(history, insertion, 9).neighbours == neighbours


def test_a_new_file_rewrites_nothing_and_has_no_neighbours() -> None:
    lines = observed(LineHistory(), patch(new("a.py", 3)), 7)
    assert (lines.rewrites, lines.neighbours) == ((), ())


def test_files_that_are_not_counted_move_on_untold() -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 2)), 7)
    move = changed("a.py", Hunk(1, 1, 1, 1, b"\0", 0), counted=False)
    assert observed(history, patch(move), 8).rewrites == ()
    assert told(history) == {"a.py": [8, 7]}


def test_lines_that_nobody_saw_written_are_unknown() -> None:
    lines = observed(LineHistory(), patch(changed("a.py", Hunk(5, 2, 5, 0, b"\1\1", 0))), 7)
    assert lines.rewrites == (Origin(0, 2, 0),)


def test_after_a_commit_that_cannot_be_read_all_lines_are_unknown() -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 2)), 7)
    history.observe(patch(unreadable=1), 8)
    lines = observed(history, patch(changed("a.py", Hunk(1, 1, 0, 0, b"\1", 0))), 9)
    assert lines.rewrites == (Origin(0, 1, 0),)


def test_the_origins_with_most_lines_are_kept() -> None:
    history = LineHistory()
    count = MAX_ORIGINS + 5
    history.observe(patch(new("a.py", 2)), 1)
    for number in range(2, count + 1):
        history.observe(patch(changed("a.py", Hunk(0, 0, 1, 1, b"", 1))), number)
    gone = Hunk(1, count + 1, 0, 0, b"\1" * (count + 1), 0)
    lines = observed(history, patch(changed("a.py", gone)), count + 1)
    assert lines.rewrites is not None
    assert len(lines.rewrites) == MAX_ORIGINS
    assert lines.rewrites[0] == Origin(1, 2, 0)


def merged(*added: tuple[int, int]) -> LineHistory:
    """A file of ten lines of #1 to which a merge (#9) adds (first line, lines).

    Beside it #2 has put one line before the first and #3 two behind the third.
    """
    line = LineHistory()
    line.observe(patch(new("a.py", 10)), 1)
    side = line.fork()
    side.observe(patch(changed("a.py", Hunk(0, 0, 1, 1, b"", 1))), 2)
    side.observe(patch(changed("a.py", Hunk(4, 0, 5, 2, b"", 2))), 3)
    hunks, before = [], 0
    for first, count in added:
        hunks.append(Hunk(first - 1 - before, 0, first, count, b"", count))
        before += count
    line.observe(patch(changed("a.py", *hunks)), 9, [side])
    return line


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ([(1, 1), (5, 2)], [2, 1, 1, 1, 3, 3]),  # as it was merged
        ([(1, 1)], [2, 1, 1, 1, 1, 1]),  # the other lines were there already
        ([(1, 4), (8, 2)], [9, 9, 9, 9, 1, 1, 1, 3, 3]),  # the merge adds lines of its own
        ([(1, 4)], [9, 9, 9, 9, 1]),
    ],
)
def test_a_merge_leaves_lines_to_those_who_wrote_them_beside_it(
    added: list[tuple[int, int]], told: list[int]
) -> None:
    history = merged(*added)
    assert [history.numbers[each] for each in history.files["a.py"]][: len(told)] == told


def test_a_fork_moves_on_apart() -> None:
    line = LineHistory()
    line.observe(patch(new("a.py", 2)), 1)
    side = line.fork()
    side.observe(patch(changed("a.py", Hunk(1, 1, 0, 0, b"\1", 0))), 2)
    line.observe(patch(changed("a.py", Hunk(2, 0, 3, 1, b"", 1))), 3)
    assert [list(each.files["a.py"]) for each in (side, line)] == [[1], [1, 1, 3]]


def test_a_file_beyond_the_records_list_has_no_place() -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 2)), 7)
    touched = history.observe(patch(changed("a.py", Hunk(1, 1, 0, 0, b"\1", 0))), 8)
    assert history.origins(touched, {}, ChangedLines()).rewrites == (Origin(7, 1, -1),)


def test_a_file_that_is_too_long_has_unknown_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_history, "MAX_LINES", 10)
    history = LineHistory()
    history.observe(patch(new("a.py", 11), new("b.py", 10)), 7)
    assert told(history) == {"b.py": [7] * 10}
    gone = changed("a.py", Hunk(11, 1, 10, 0, b"\1", 0))
    assert observed(history, patch(gone), 8).rewrites in ((), (Origin(0, 1, 0),))
    assert "a.py" not in history.files or set(told(history)["a.py"]) == {0}


# --- random histories -------------------------------------------------------------------------

NAMES = ("a.py", "b.py", "d/c.py")


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Commits that insert, remove and replace lines, rename, delete and make files.

    Every line is another one, and files are long, so that there is one way to see each change.
    """
    files: dict[str, list[str]] = {}
    fresh = iter(range(100_000))
    commits: list[Change] = []
    for _ in range(draw(st.integers(2, 8))):
        change: dict[str, Any] = {}
        for name in sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1))):
            if name not in files:
                files[name] = [f"new {next(fresh)}\n" for _ in range(draw(st.integers(20, 30)))]
            elif draw(st.integers(0, 9)) == 0:
                del files[name]
                change[name] = None
                continue
            else:
                _edit(draw, files[name], fresh)
            change[name] = "".join(files[name])
        moved = draw(st.sampled_from([None, *files])) if draw(st.booleans()) else None
        if moved is not None:
            target = draw(st.sampled_from(["e.py", "f/g.py"]))
            if target not in files:
                files[target] = files.pop(moved)
                change |= {moved: None, target: "".join(files[target])}
        commits.append(change)
    return commits


def _edit(draw: st.DrawFn, lines: list[str], fresh: Any) -> None:
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        removed = draw(st.integers(0, 3))
        lines[at : at + removed] = [f"new {next(fresh)}\n" for _ in range(draw(st.integers(0, 3)))]


@given(commits=histories())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_histories_are_told_as_git_blames_them(commits: list[Change]) -> None:
    with TemporaryDirectory() as folder:
        path = make(Path(folder) / "r.git", commits)
        history, shas = folded(path)
        assert told(history) == blamed(path, shas)


# --- the saved state --------------------------------------------------------------------------


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 2), new("ä\\udcff.py", 3)), -(2**47))
    side = history.fork()
    side.observe(patch(changed("a.py", Hunk(1, 1, 0, 0, b"\1", 0)), new("b.py", 1)), 3)
    history.observe(patch(new("c.py", 1)), 4)
    saved = SavedLines(tmp_path / "lines")
    saved.save(BranchState(history, {"3" * 40: side}), "1" * 40)
    loaded = saved.load("1" * 40)
    assert loaded is not None
    assert (loaded.line.numbers, loaded.line.files) == (history.numbers, history.files)
    assert {sha: each.files for sha, each in loaded.sides.items()} == {"3" * 40: side.files}
    assert saved.load("2" * 40) is None


def test_only_the_lines_at_one_commit_are_kept(tmp_path: Path) -> None:
    saved = SavedLines(tmp_path)
    for commit in ("1", "2", "3"):
        saved.save(BranchState(), commit)
    saved.keep_only("2")
    assert [path.name for path in tmp_path.iterdir()] == ["2.lines"]


@pytest.mark.parametrize("change", [b"", b"x", b"pullrisk lines 2\n" + bytes(16) + b"\x78\x9c"])
def test_damaged_lines_are_noticed(tmp_path: Path, change: bytes) -> None:
    saved = SavedLines(tmp_path)
    saved.save(BranchState(), "1")
    (tmp_path / "1.lines").write_bytes(change)
    with pytest.raises(DamagedLinesError):
        saved.load("1")


@pytest.mark.parametrize("place", [0, 20, 40, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    saved = SavedLines(tmp_path)
    history = LineHistory()
    history.observe(patch(new("a.py", 2)), 7)
    saved.save(BranchState(history), "1")
    data = bytearray((tmp_path / "1.lines").read_bytes())
    data[place] ^= 1
    (tmp_path / "1.lines").write_bytes(data)
    with pytest.raises(DamagedLinesError):
        saved.load("1")


def test_lines_of_another_commit_are_noticed(tmp_path: Path) -> None:
    saved = SavedLines(tmp_path)
    saved.save(BranchState(), "1")
    (tmp_path / "1.lines").rename(tmp_path / "2.lines")
    with pytest.raises(DamagedLinesError):
        saved.load("2")


def test_origins_sum_over_commits_of_one_number() -> None:
    history = LineHistory()
    history.observe(patch(new("a.py", 1)), 7)
    history.observe(patch(changed("a.py", Hunk(1, 0, 2, 1, b"", 1))), 7)
    gone = patch(changed("a.py", Hunk(1, 2, 0, 0, b"\1\1", 0)))
    assert observed(history, gone, 8).rewrites == (Origin(7, 2, 0),)
    assert Counter(history.numbers) == {0: 1, 7: 2, 8: 1}
