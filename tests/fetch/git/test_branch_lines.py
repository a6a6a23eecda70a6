"""The origins of lines in the records of a clone, and how they outlive a run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.report import FetchReport
from pullrisk.progress import Silent
from pullrisk.pulls.lines import Origin
from pullrisk.pulls.record import Pull, push_number
from pullrisk.pulls.sqlite import SqliteStore
from support.repositories import git
from support.small_disk import run_on_small_disk

TEXT = "".join(f"value_{number} = make()\n" for number in range(10))


class Clone:
    """A bare repository that grows by commits on main."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds = path, 1_700_000_000
        path.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main")

    def git(self, *arguments: str, stdin: str = "") -> str:
        return git(self.path, *arguments, stdin=stdin.encode())

    def commit(self, subject: str, *parents: str, **files: str) -> str:
        """Commit to main, on these parents if they are given; the sha."""
        self.seconds += 60
        start = parents or tuple(self.git("for-each-ref", "--format=%(objectname)").split())
        lines = [
            "commit refs/heads/main",
            f"committer A <a@x.org> {self.seconds} +0000",
            f"data {len(subject)}\n{subject}",
            *(f"{'merge' if place else 'from'} {sha}" for place, sha in enumerate(start)),
            *(f"M 644 inline {name}.py\ndata {len(text)}\n{text}" for name, text in files.items()),
        ]
        self.git("fast-import", "--quiet", "--force", stdin="\n".join(lines) + "\n")
        return self.git("rev-parse", "main")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(tmp_path / "clone.git")
    made.commit("Start (#1)", a=TEXT)
    made.commit("Push a line", a=TEXT + "pushed = 1\n")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


def fetch(
    store: SqliteStore, clone: Clone, lines: Path | None = None, *, ref: str | None = None
) -> FetchReport:
    return fetch_git(
        clone.path,
        store,
        salt=b"s" * 32,
        progress=Silent(),
        repository="o/r",
        ref=ref,
        lines=lines,
    )


def rewrites(store: SqliteStore, number: int) -> tuple[Origin, ...]:
    found = store.get("o/r", number)
    assert found is not None
    assert found.lines is not None
    return found.lines.rewrites or ()


def saved(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.lines"))


def test_removed_lines_are_of_the_pulls_and_pushes_that_wrote_them(
    clone: Clone, store: SqliteStore
) -> None:
    pushed = clone.git("rev-parse", "main")
    clone.commit("Mend (#3)", a=TEXT.replace("value_3", "other"))
    fetch(store, clone)
    number = push_number(pushed)
    assert rewrites(store, 3) == (Origin(number, 1, 0), Origin(1, 1, 0))
    push = next(event for event in store.events("o/r") if event.number == number)
    assert push.lines is not None
    assert (push.lines.code_added, push.lines.neighbours) == (1, (Origin(1, 1, 0),))
    mended = store.get("o/r", 3)
    assert mended is not None
    assert mended.files is not None
    assert (mended.files[0].code_added, mended.files[0].code_removed) == (1, 2)


def test_lines_of_a_batch_of_pulls_are_of_none_of_them(clone: Clone, store: SqliteStore) -> None:
    message = "Merge #4 #5\n\n4: One r=a a=b\n\n5: Two r=a a=b\n"
    side = clone.commit("Work", a=TEXT + "batch = 1\n")
    batch = clone.commit(message, f"{side}^", side, a=TEXT + "batch = 1\n")
    clone.commit("Drop it (#6)", a=TEXT)
    fetch(store, clone)
    pulls = [store.get("o/r", number) for number in (4, 5)]
    assert [each and each.lines for each in pulls] == [None, None]
    assert rewrites(store, 6) == (Origin(push_number(batch), 1, 0),)


def merge_up(clone: Clone, name: str, *sides: str) -> list[str]:
    """A line beside main on which #2 and a push were merged, then into main; its commits."""
    old, start = clone.git("rev-parse", "main"), sides or (clone.git("rev-parse", "main^"),)
    first = clone.commit("Inside (#2)", *start, a=TEXT.replace("value_3", "other"))
    text = TEXT.replace("value_3", "other") + "beside = 1\n"
    second = clone.commit("Push beside", first, a=text)
    text = text.replace("value_7", "another")
    third = clone.commit("Fix the inside (#4)", second, a=text.replace("other", "right"))
    merged = text.replace("other", "right").replace("beside", "pushed = 1\nbeside")
    clone.commit(f"Merge branch '{name}'", old, third, a=merged)
    return [first, second, third]


def test_a_pull_that_was_merged_off_the_branch_has_origins_along_its_own_line(
    clone: Clone, store: SqliteStore
) -> None:
    merge_up(clone, "release-1.0")
    fetch(store, clone)
    assert rewrites(store, 2) == (Origin(1, 1, 0),)
    assert rewrites(store, 4) == (Origin(1, 1, 0), Origin(2, 1, 0))


def test_what_came_from_another_line_is_still_of_the_pulls_that_wrote_it(
    clone: Clone, store: SqliteStore
) -> None:
    merge_up(clone, "release-1.0")
    merge = clone.git("rev-parse", "main")
    clone.commit("Fix all (#5)", a="nothing = 1\n")
    fetch(store, clone)
    assert {origin.number: origin.lines for origin in rewrites(store, 5)} == {
        1: 8,
        4: 2,
        push_number(merge): 1,
        push_number(clone.git("rev-parse", "main^1^1")): 1,
    }


@pytest.mark.parametrize("step", [1, 2, 3])
def test_lines_beside_the_branch_read_in_stretches_are_as_if_read_at_once(
    clone: Clone, store: SqliteStore, tmp_path: Path, step: int
) -> None:
    old = clone.git("rev-parse", "main")
    *_, tip = merge_up(clone, "release-1.0")
    main, pushed = clone.git("rev-parse", "main"), TEXT + "pushed = 1\n"
    further = clone.commit("Drop the inside (#6)", tip, a=TEXT)
    main = clone.commit("Merge branch 'release-1.0'", main, further, a=pushed)
    # A line of history that begins where nobody knew that one would.
    late = clone.commit("Late (#7)", old, a=pushed.replace("value_1", "late"))
    main = clone.commit("Merge branch '2.x'", main, late, a=pushed.replace("value_1", "late"))
    for end in [*clone.git("rev-list", "--first-parent", main).split()[::-step][:-1], main]:
        clone.git("update-ref", "refs/heads/next", end)
        fetch(store, clone, tmp_path / "lines", ref="next")
    assert {origin.number for origin in rewrites(store, 6)} > {4}
    assert rewrites(store, 7) == (Origin(1, 1, 0),)
    with SqliteStore(tmp_path / "once.sqlite") as once:
        fetch(once, clone, ref="next")
        assert list(once.events("o/r")) == list(store.events("o/r"))


def _gone(folder: Path) -> None:
    saved(folder)[0].unlink()


def _damaged(folder: Path) -> None:
    saved(folder)[0].write_bytes(b"nonsense")


def _kept(folder: Path) -> None:
    assert len(saved(folder)) == 1


@pytest.mark.parametrize(
    ("harm", "note"), [(_kept, None), (_gone, None), (_damaged, "read from the clone again")]
)
def test_a_later_run_goes_on_with_the_lines_or_reads_them_again(
    clone: Clone,
    store: SqliteStore,
    tmp_path: Path,
    harm: Callable[[Path], None],
    note: str | None,
) -> None:
    folder = tmp_path / "lines"
    fetch(store, clone, folder)
    harm(folder)
    clone.commit("Mend (#3)", a=TEXT.replace("value_3", "other"))
    report = fetch(store, clone, folder)
    assert (note or "") in (report.lines or "")
    assert (report.lines is None) == (note is None)
    assert [path.stem for path in saved(folder)] == [clone.git("rev-parse", "main")]
    with SqliteStore(tmp_path / "once.sqlite") as once:
        fetch(once, clone)
        assert list(once.events("o/r")) == list(store.events("o/r"))


def test_lines_follow_a_branch_that_was_rewritten(
    clone: Clone, store: SqliteStore, tmp_path: Path
) -> None:
    fetch(store, clone, tmp_path)
    first = clone.git("rev-parse", "main^")
    clone.commit("Another (#2)", first, a="first = 1\n" + TEXT)
    clone.commit("Mend (#3)", a=TEXT)
    fetch(store, clone, tmp_path)
    assert rewrites(store, 3) == (Origin(2, 1, 0),)
    assert [path.stem for path in saved(tmp_path)] == [clone.git("rev-parse", "main")]


def test_lines_follow_the_first_parent_where_it_leaves_the_old_line(
    clone: Clone, store: SqliteStore, tmp_path: Path
) -> None:
    fetch(store, clone, tmp_path)
    old, first = clone.git("rev-parse", "main"), clone.git("rev-parse", "main^")
    side = clone.commit("Side (#2)", first, a="side = 1\n" + TEXT)
    clone.commit("Merge branch 'main' into side", side, old, a="side = 1\n" + TEXT + "pushed = 1\n")
    clone.commit("Mend (#3)", a=TEXT + "pushed = 1\n")
    fetch(store, clone, tmp_path)
    assert rewrites(store, 3) == (Origin(2, 1, 0),)


def test_lines_that_cannot_be_saved_are_told_and_cost_nothing_else(
    clone: Clone, store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    report = fetch(store, clone, tmp_path / "file")
    assert report.lines is not None
    assert "could not be saved" in report.lines
    clone.commit("Mend (#3)", a=TEXT)
    assert fetch(store, clone, tmp_path / "file").lines is not None
    assert [origin.lines for origin in rewrites(store, 3)] == [1]


ON_A_FULL_DISK = """
import subprocess, sys
from pathlib import Path
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
disk = Path(sys.argv[1]).parent
clone, filler = disk.parent / "clone.git", disk / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(512)):
            pass
    except OSError as error:
        print(error.strerror)
with SqliteStore(disk.parent / "stored.sqlite") as store:
    for commit in ("main^^", "main^", "main"):
        subprocess.run(["git", "-C", clone, "update-ref", "refs/heads/next", commit], check=True)
        if commit == "main":
            filler.unlink()
        report = fetch_git(
            clone, store, salt=b"s", progress=Silent(), repository="o/r", ref="next",
            lines=disk / "lines",
        )
        print(len(list(store.events("o/r"))), report.lines)
    print([origin.number for origin in store.get("o/r", 3).lines.rewrites])
"""


def test_a_full_volume_costs_the_saved_lines_and_no_pull(clone: Clone, tmp_path: Path) -> None:
    pushed = clone.git("rev-parse", "main")
    clone.commit("Mend (#3)", a=TEXT.replace("value_3", "other"))
    (tmp_path / "disk").mkdir()
    printed = run_on_small_disk('exec "$@"', tmp_path / "disk" / "file", ON_A_FULL_DISK)
    full, *fetched, freed, origins = printed.splitlines()
    assert full == "No space left on device"
    for count, told in enumerate(fetched, 1):
        assert told.startswith(f"{count} who wrote the lines could not be saved, and is read again")
    assert freed == "3 None"
    assert origins == str([push_number(pushed), 1])


def test_two_branches_keep_their_lines_apart(
    clone: Clone, store: SqliteStore, tmp_path: Path
) -> None:
    fetch(store, clone, tmp_path)
    clone.git("branch", "next", "main")
    fetch(store, clone, tmp_path, ref="next")
    assert len(saved(tmp_path)) == 2


def test_a_record_survives_the_store(clone: Clone, store: SqliteStore) -> None:
    fetch(store, clone)
    events: list[Pull] = list(store.events("o/r"))
    assert [event.lines is not None for event in events] == [True, True]
