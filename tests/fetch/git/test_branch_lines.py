"""The origins of lines in the records of a clone, and how they outlive a run."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.report import FetchReport
from pullrisk.progress import Silent
from pullrisk.pulls.lines import Origin
from pullrisk.pulls.record import Pull, push_number
from pullrisk.pulls.sqlite import SqliteStore

TEXT = "".join(f"value_{number} = make()\n" for number in range(10))


class Clone:
    """A bare repository that grows by commits on main."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds = path, 1_700_000_000
        path.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main")

    def git(self, *arguments: str, stdin: str = "") -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(
            command, input=stdin.encode(), capture_output=True, env=environment, check=True
        )
        return done.stdout.decode().strip()

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


def test_a_pull_that_was_merged_off_the_branch_has_counts_without_origins(
    clone: Clone, store: SqliteStore
) -> None:
    old = clone.git("rev-parse", "main")
    first = clone.git("rev-parse", "main^")
    side = clone.commit("Inside (#2)", first, a=TEXT.replace("value_3", "other"))
    merged = TEXT.replace("value_3", "other") + "pushed = 1\n"
    clone.commit("Merge branch 'release-1.0'", old, side, a=merged)
    fetch(store, clone)
    nested = store.get("o/r", 2)
    assert nested is not None
    assert nested.lines is not None
    assert (nested.lines.rewrites, nested.lines.neighbours) == (None, None)
    assert (nested.lines.code_added, nested.lines.code_removed) == (1, 1)


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


def test_lines_that_were_not_wanted_are_read_when_they_are(
    clone: Clone, store: SqliteStore
) -> None:
    def lines_of(*, wanted: bool) -> tuple[str | None, bool]:
        report = fetch_git(
            clone.path, store, salt=b"s", progress=Silent(), repository="o/r", read_lines=wanted
        )
        kept = store.get("o/r", 1)
        assert kept is not None
        return report.lines, kept.lines is not None

    assert lines_of(wanted=False) == (None, False)
    assert lines_of(wanted=True) == (None, True)
