"""Lines of GitHub's pulls from the bare clone that is kept of a repository."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.clone import CloneOptions, add_lines
from pullrisk.fetch.github.fetch import GitHubReport, Request, fetch_github
from pullrisk.progress import Silent
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import Pull, push_number
from pullrisk.pulls.sqlite import SqliteStore
from support.github_project import TEXT, GitHubProject, github_project
from support.kills import run_killed

TOKEN = "fake-token"
SALT = b"s" * 32


@dataclass
class Project(GitHubProject):
    """The project, and a store into which it is fetched."""

    store: SqliteStore

    def access(self, *tokens: str) -> Access:
        return Access(url=self.server.url, tokens=tokens, pace=0.001)

    def options(self, *tokens: str) -> CloneOptions:
        access = self.access(*(tokens or (TOKEN,)))
        return CloneOptions(folder=self.folder / "home", access=lambda: access, salt=SALT)

    def fetch(self, options: CloneOptions | None = None) -> GitHubReport:
        """Records, then lines."""
        request = Request(repositories=("o/r",))
        report = fetch_github(request, self.store, access=self.access(TOKEN), progress=Silent())
        options = options or self.options()
        return add_lines(report, self.store, options, progress=Silent())

    def notes(self, options: CloneOptions | None = None) -> tuple[str, ...]:
        (repository,) = self.fetch(options).repositories
        assert repository.error is None
        return repository.notes

    def lines(self, number: int) -> ChangedLines | None:
        pull = self.store.get("o/r", number)
        assert pull is not None
        return pull.lines

    @property
    def clone(self) -> Path:
        return self.folder / "home" / "mirrors" / "o+r.git"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with (
        SqliteStore(tmp_path / "pulls.sqlite") as store,
        github_project(tmp_path) as made,
    ):
        yield Project(**vars(made), store=store)


def test_github_s_record_and_the_clone_s_lines_are_one(project: Project) -> None:
    assert project.notes() == ()
    mended = project.lines(2)
    assert mended is not None
    pushed = push_number(project.shas[0])
    assert mended.rewrites == (Origin(pushed, 1, 0), Origin(1, 1, 0))
    pull = project.store.get("o/r", 2)
    assert pull is not None
    assert (pull.author, pull.merge_sha) == ("author-2", project.shas[2])
    assert [push.number for push in project.store.pushes("o/r")] == [pushed]


def test_an_open_pull_has_its_lines_and_keeps_them_until_its_head_changes(
    project: Project,
) -> None:
    project.fetch()
    lines = project.lines(3)
    assert lines is not None
    assert lines.rewrites == (Origin(2, 1, 0),)

    project.world.change(project.github, 3, title="Another title")
    project.fetch()
    assert project.lines(3) == lines

    project.world.change(project.github, 3, head={"ref": "topic", "sha": "1" * 40})
    project.fetch()
    assert project.lines(3) is None


def test_the_clone_tells_whose_lines_an_open_pull_of_a_webhook_touches(project: Project) -> None:
    """A webhook's object has patches: how many lines, but not who wrote them."""
    project.fetch()
    pull = project.store.get("o/r", 3)
    assert pull is not None
    assert pull.lines is not None
    head = "refs/pull/3/head"
    sha = project.work.commit({"a.py": TEXT.replace(b"line_3 = 1", b"line_3 = 5")})
    project.push(f"{sha}:{head}")
    project.work.git("reset", "-q", "--hard", "HEAD~1")
    counted = replace(pull.lines, rewrites=None, neighbours=None)
    project.world.change(project.github, 3, head={"ref": "topic", "sha": sha})
    later = pull.updated_at + timedelta(seconds=1)
    project.store.upsert([replace(pull, head_sha=sha, lines=counted, updated_at=later)])
    project.fetch()
    lines = project.lines(3)
    assert lines is not None
    assert lines.rewrites


def test_a_later_fetch_reads_only_what_is_new(project: Project) -> None:
    project.fetch()
    packs = {path: path.stat().st_mtime_ns for path in project.clone.glob("objects/??/*")}
    before = project.store.checkpoints()["git:o/r:main"]
    assert project.notes() == ()
    assert project.store.checkpoints()["git:o/r:main"] == before

    project.commit(4, TEXT.replace(b"line_3 = 1", b"line_3 = 4"))
    project.push()
    project.fetch()
    lines = project.lines(4)
    assert lines is not None
    assert lines.rewrites == (Origin(2, 1, 0),)
    assert (
        packs.items()
        <= {path: path.stat().st_mtime_ns for path in project.clone.glob("objects/??/*")}.items()
    )


def test_the_token_is_in_no_process_list_no_address_and_no_file(project: Project) -> None:
    project.fetch()
    asked = [command for command in project.server.commands if b"r.git" in command]
    assert any(b"ls-remote" in command for command in asked)
    assert any(b"fetch" in command for command in asked)
    assert not [command for command in project.server.commands if TOKEN.encode() in command]
    files = [path for path in (project.folder / "home").rglob("*") if path.is_file()]
    assert project.clone / "config" in files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_a_token_that_may_not_clone_costs_lines_and_no_record(project: Project) -> None:
    (note,) = project.notes(project.options("another-token"))
    assert "which lines its pulls change is unknown: the token may not clone it" in note
    assert "Contents: read" in note
    assert len(project.store.recent(repository="o/r")) == 3
    assert project.lines(2) is None
    assert project.notes(project.options("another-token", TOKEN)) == ()
    assert project.lines(2) is not None


def test_a_rewritten_branch_is_read_again_and_it_is_said(project: Project) -> None:
    project.fetch()
    project.work.git("reset", "-q", "--hard", "HEAD~2")
    project.commit(5, TEXT.replace(b"line_3 = 1", b"line_3 = 5"))
    project.push()
    (note,) = project.notes()
    assert note == "main was rewritten: its lines were read again from the start"
    lines = project.lines(5)
    assert lines is not None
    assert lines.rewrites == (Origin(1, 1, 0),)


def test_a_number_that_github_knows_for_no_pull_s_becomes_none(project: Project) -> None:
    issue = project.commit(4, TEXT + b"x = 1\n")
    project.commit(6, TEXT)
    del project.github.pulls[4]
    project.push()
    project.fetch()
    assert project.store.get("o/r", 4) is None
    lines = project.lines(6)
    assert lines is not None
    assert lines.rewrites == (Origin(push_number(issue), 1, 0),)


def test_a_pull_whose_number_only_github_knows_has_lines_too(project: Project) -> None:
    project.commit(4, TEXT.replace(b"line_3 = 1", b"line_3 = 4"), subject="Without a number")
    project.commit(6, TEXT)
    project.push()
    project.fetch()
    mine, later = project.lines(4), project.lines(6)
    assert mine is not None
    assert mine.rewrites == (Origin(2, 1, 0),)
    assert later is not None
    assert later.rewrites == (Origin(4, 1, 0),)


def test_a_renamed_repository_goes_on_in_its_own_clone(project: Project) -> None:
    project.fetch()
    project.world.rename(project.github, "o/new")
    clones = project.folder / "clones" / "o"
    project.commit(4, TEXT.replace(b"line_3 = 1", b"line_3 = 4"))
    project.push()
    (clones / "r.git").rename(clones / "new.git")
    (note,) = project.notes()
    assert "o/new now" in note
    assert project.lines(4) is not None


def test_a_repository_without_commits_has_no_lines_and_no_note(project: Project) -> None:
    shutil.rmtree(project.folder / "clones" / "o" / "r.git")
    bare = str(project.folder / "clones" / "o" / "r.git")
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    assert project.notes() == ()


def _holding_the_lock(project: Project) -> str:
    lock = os.open(f"{project.clone}.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return "another process"


def _a_file_in_the_way(project: Project) -> str:
    shutil.rmtree(project.clone)
    project.clone.write_text("a file")
    return "cannot be written"


def _without_git(project: Project) -> str:
    os.environ["PATH"] = str(project.folder)
    return "git program is not installed"


def _lost_object(project: Project) -> str:
    lost = project.shas[1]
    (project.clone / "objects" / lost[:2] / lost[2:]).unlink()
    (project.folder / "home" / "lines").rename(project.folder / "gone")
    project.store.upsert([], checkpoint=("git:o/r:main", {}))
    return "may be deleted"


@pytest.mark.parametrize(
    "trouble", [_holding_the_lock, _a_file_in_the_way, _without_git, _lost_object]
)
def test_trouble_with_the_clone_is_a_note_and_the_records_go_on(
    project: Project, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.fetch()
    monkeypatch.setenv("PATH", os.environ["PATH"])  # to be put back
    reason = trouble(project)
    project.know(7)
    (note,) = project.notes()
    assert reason in note
    assert project.store.get("o/r", 7) is not None


DRIVER = f"""
import sys
from pathlib import Path
from pullrisk.fetch.git import fetch
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.clone import CloneOptions, add_lines
from pullrisk.fetch.github.fetch import Request, fetch_github
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
import stamina.instrumentation
stamina.instrumentation.set_on_retry_hooks(())
fetch.BATCH_COMMITS = 2
url, home = sys.argv[1], Path(sys.argv[2])
access = Access(url=url, tokens=({TOKEN!r},), pace=0.001)
options = CloneOptions(folder=home, access=lambda: access, salt={SALT!r})
count_calls()
with SqliteStore(home / "pulls.sqlite") as store:
    report = fetch_github(
        Request(repositories=("o/r",)), store, access=access, progress=Silent()
    )
    report = add_lines(report, store, options, progress=Silent())
print_calls()
assert not report.repositories[0].notes, report.repositories[0].notes
"""


def test_a_run_killed_at_any_moment_and_repeated_ends_as_if_undisturbed(project: Project) -> None:
    for number in range(10, 20):
        project.commit(number, TEXT.replace(b"line_3 = 1", b"line_3 = %d" % number))
    project.push()
    calm, killed = project.folder / "calm", project.folder / "killed"
    for home in (calm, killed):
        home.mkdir()
    calls = run_killed(DRIVER, project.server.url, calm) or 0
    kills = [
        run_killed(DRIVER, project.server.url, killed, after=calls * eighth // 8)
        for eighth in range(1, 8)
    ]
    assert kills.count(None) > 3
    assert run_killed(DRIVER, project.server.url, killed)

    def known(home: Path) -> list[Pull]:
        with SqliteStore(home / "pulls.sqlite") as store:
            return list(store.pulls("o/r"))

    assert known(killed) == known(calm)
    assert all(pull.lines for pull in known(killed) if pull.number > 1)
