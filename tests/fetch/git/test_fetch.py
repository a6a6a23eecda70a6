"""Reading pull requests from real clones, made here with the git program."""

import os
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.report import FetchReport
from pullrisk.fetch.salt import pseudonym
from pullrisk.progress import Silent
from pullrisk.pulls.lines import TOKENS, ChangedLines
from pullrisk.pulls.outcomes import Link, Linker
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.kills import run_killed
from support.repositories import git

SALT = b"s" * 32
START = datetime(2024, 1, 1, tzinfo=UTC)
DRIVER = """
import sys
from pathlib import Path
from pullrisk.fetch.git import fetch
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
fetch.BATCH_COMMITS = 50
count_calls()
with SqliteStore(Path(sys.argv[1])) as store:
    lines = Path(sys.argv[1] + ".lines")
    fetch.fetch_git(Path(sys.argv[2]), store, salt=b"s" * 32, progress=Silent(), lines=lines)
print_calls()
"""


class Repo:
    """A repository in a folder; each commit is one hour after the last."""

    def __init__(self, path: Path, *, origin: str = "git@github.com:o/r.git") -> None:
        self.path, self.hours = path, 0
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "remote.origin.url", origin)

    def git(self, *arguments: str, author: str = "Ann <ann@x.org>", stdin: bytes = b"") -> str:
        name, _, email = author.rstrip(">").partition(" <")
        date = f"{int((START + timedelta(hours=self.hours)).timestamp())} +0200"
        identity = {"NAME": name, "EMAIL": email, "DATE": date}
        people = ("AUTHOR", "COMMITTER")
        named = {f"GIT_{who}_{key}": text for who in people for key, text in identity.items()}
        return git(self.path, *arguments, stdin=stdin, **named)

    def commit(self, message: str, *, author: str = "Ann <ann@x.org>", **files: str) -> str:
        """Commit files (name=content; "__" is a dot) and return the sha."""
        self.hours += 1
        for name, content in files.items():
            (self.path / name.replace("__", ".")).write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author)
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, message: str) -> str:
        """Merge a branch as GitHub does, with a merge commit, and return its sha."""
        self.hours += 1
        merger = "Max <max@x.org>"
        self.git(
            *("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-m", message, branch),
            author=merger,
        )
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, start: str = "HEAD") -> None:
        self.git("checkout", "-q", "-b", name, start)

    def main(self) -> None:
        self.git("checkout", "-q", "main")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "clone")
    made.commit("First", a__py="1\n2\n3\n")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as opened:
        yield opened


def fetch(store: SqliteStore, repo: Repo | Path, **options: Any) -> FetchReport:
    path = repo.path if isinstance(repo, Repo) else repo
    return fetch_git(path, store, **{"salt": SALT, "progress": Silent(), **options})


def pull(store: SqliteStore, number: int) -> Pull:
    found = store.get("o/r", number)
    assert found is not None
    return found


def pulls(store: SqliteStore) -> list[Pull]:
    """The merged pulls in event order."""
    return [event for event in store.events("o/r") if not event.is_push]


def pushes(store: SqliteStore) -> dict[str, Pull]:
    """The direct pushes by title, in event order."""
    return {event.title: event for event in store.events("o/r") if event.is_push}


def after(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def test_a_merged_branch_becomes_a_pull_with_its_own_commits(
    repo: Repo, store: SqliteStore
) -> None:
    repo.branch("topic")
    message = "Add b\n\nSigned-off-by: Bob <bob@x.org>"
    first = repo.commit(message, author="Bob <Bob@X.org>", b__py="1\n")
    head = repo.commit(
        "Mend b\n\nThis reverts commit 0123abc.", author="Bob <bob@x.org>", b__py="1\n2\n"
    )
    repo.main()
    repo.commit("Meanwhile", c__py="1\n")
    sha = repo.merge("topic", "Merge pull request #7 from bob/to/pic\n\nAdd b to all\n\nDetails.")
    assert fetch(store, repo).read == 1
    assert pull(store, 7) == Pull(
        repository="o/r",
        number=7,
        created_at=after(2),
        updated_at=after(5),
        merged_at=after(5),
        closed_at=after(5),
        title="Add b to all",
        body="Details.\n\nAdd b\n\nSigned-off-by: Bob <<email>>\n\n"
        "Mend b\n\nThis reverts commit 0123abc.",
        author=pseudonym("bob@x.org", SALT),
        head_ref="to/pic",
        head_sha=head,
        head_repository="bob/r",
        merge_sha=sha,
        commits=2,
        additions=2,
        deletions=0,
        changed_files=1,
        files=(ChangedFile("b.py", "added", 2, 0, None, 2, 0),),
        own_commits=(head[:8], first[:8]),
        unknown=("opening", "description"),
        lines=ChangedLines(
            rewrites=(),
            neighbours=(),
            code_added=2,
            hunks_added=1,
            tokens_added=tuple(2 * (name == "number") for name in TOKENS),
            tokens_removed=(0,) * len(TOKENS),
        ),
    )


def test_a_revert_that_was_pushed_is_no_pull_and_tells_what_it_reverts(
    repo: Repo, store: SqliteStore
) -> None:
    repo.commit("Cache (#1)", cache="1\n2\n3\n")
    repo.git("revert", "--no-edit", "HEAD")
    repo.commit("Thank a@x.org\n\nAt length.", author="Bob <bob@x.org>", b__py="1\n")
    report = fetch(store, repo)
    assert (report.read, report.written.inserted, report.unnumbered) == (1, 1, 2)
    found = pushes(store)
    assert list(found) == ["First", 'Revert "Cache (#1)"', "Thank <email>"]
    revert, thanks = found['Revert "Cache (#1)"'], found["Thank <email>"]
    assert (revert.additions, revert.deletions, revert.commits) == (0, 3, 1)
    assert revert.body.startswith("This reverts commit ")
    assert (thanks.body, thanks.author) == ("", pseudonym("bob@x.org", SALT))
    assert thanks.files == (ChangedFile("b.py", "added", code_added=1, code_removed=0),)
    assert [link.number for link in _links(store)] == [1]
    repo.commit("More", b__py="2\n")
    assert fetch(store, repo).written.inserted == 0
    assert list(pushes(store)) == [*found, "More"]


def test_a_copy_of_a_pulls_commit_was_not_pushed(repo: Repo, store: SqliteStore) -> None:
    repo.commit('Revert "Cache" (#2)', b__py="1\n")
    repo.commit('Revert "Cache" (#2)', b__py="2\n")
    repo.commit('Revert "Docs" (#2)', b__py="3\n")
    fetch(store, repo)
    assert list(pushes(store)) == ["First", 'Revert "Docs" (#2)']


def _links(store: SqliteStore) -> list[Link]:
    linker = Linker()
    return [link for event in store.events("o/r") for link in linker.observe(event)]


def test_what_was_merged_by_hand_was_pushed_and_a_merge_up_was_not(
    repo: Repo, store: SqliteStore
) -> None:
    for branch, merged in (("topic", "By hand"), ("1.x", "On 1.x"), ("copy", "My own")):
        repo.branch(branch)
        repo.commit(merged, **{branch[:1]: "1\n"})
        repo.main()
    repo.merge("topic", "Merge branch 'topic'")
    repo.git("checkout", "-q", "1.x")
    repo.commit("Fix c (#2)", c__py="1\n")
    repo.main()
    repo.merge("1.x", "Merge branch '1.x'")
    repo.commit("Add d (#3)", d__py="1\n")
    repo.commit("Mend d", d__py="2\n")
    repo.git("checkout", "-q", "copy")
    repo.merge("main", "Merge branch 'main' of github.com:o/r")
    repo.git("branch", "-f", "main")
    fetch(store, repo)
    assert set(pushes(store)) == {"First", "By hand", "My own", "Mend d"}


def test_branches_of_an_earlier_owner_are_in_no_fork(repo: Repo, store: SqliteStore) -> None:
    for number in range(1, 13):
        owner, writer = ("old", f"w{number}") if number < 7 else ("bob", "bob")
        repo.branch(f"b{number}")
        repo.commit(f"Work {number}", author=f"W <{writer}@x.org>", **{f"f{number}": "1\n"})
        repo.main()
        repo.merge(f"b{number}", f"Merge pull request #{number} from {owner}/b{number}\n\nWork")
    fetch(store, repo)
    assert {pull.head_repository for pull in pulls(store)[:6]} == {"o/r"}
    assert {pull.head_repository for pull in pulls(store)[6:]} == {"bob/r"}


def test_a_pull_that_github_tells_was_not_pushed(repo: Repo, store: SqliteStore) -> None:
    shas = [repo.commit(f"Work {n}", **{f"f{n}": "1\n"}) for n in range(3)]
    at = after(9)
    rebased = Pull(
        repository="o/r", number=5, created_at=at, updated_at=at, merged_at=at, closed_at=at,
        title="Work", merge_sha=shas[1], commits=2,
    )  # fmt: skip
    store.upsert([rebased])
    fetch(store, repo)
    assert list(pushes(store)) == ["First", "Work 2"]


def test_a_squash_commit_becomes_a_pull(repo: Repo, store: SqliteStore) -> None:
    sha = repo.commit("Fix it (#12)\n\n* one\n* two", author="bot[bot] <b@x.org>", a__py="1\n3\n")
    fetch(store, repo)
    found = pull(store, 12)
    assert (found.title, found.body) == ("Fix it", "* one\n* two")
    assert (found.merge_sha, found.head_sha, found.commits) == (sha, None, None)
    assert (found.additions, found.deletions, found.bot) == (0, 1, True)
    assert found.created_at == found.merged_at == after(2)


def test_a_reverting_squash_is_the_pull_of_its_last_number(repo: Repo, store: SqliteStore) -> None:
    repo.commit("Add x (#12)", a__py="1\n")
    repo.commit('Revert "Add x (#12)" (#34)\n\nReverts o/r#12', a__py="1\n2\n3\n")
    repo.commit('Revert "Add x (#12)"')
    assert fetch(store, repo).read == 2
    assert pull(store, 34).title == 'Revert "Add x (#12)"'
    assert pull(store, 34).body == "Reverts o/r#12"


def test_commits_belong_to_the_first_merge_that_brought_them(
    repo: Repo, store: SqliteStore
) -> None:
    repo.branch("one")
    repo.commit("Shared work", b__py="1\n")
    repo.branch("two")
    repo.commit("Second work", author="Cy <cy@x.org>", c__py="1\n")
    repo.main()
    repo.merge("one", "Merge pull request #1 from o/one\n\nOne")
    repo.git("checkout", "-q", "two")
    repo.merge("main", "Merge branch 'main' into two")
    repo.main()
    repo.merge("two", "Merge pull request #2 from o/two\n\nTwo")
    fetch(store, repo)
    assert (pull(store, 1).commits, pull(store, 1).body) == (1, "Shared work")
    second = pull(store, 2)
    assert (second.commits, second.body) == (2, "Second work")
    assert second.author == pseudonym("cy@x.org", SALT)
    assert second.files == (ChangedFile("c.py", "added", 1, 0, None, 1, 0),)


def test_names_statuses_and_binary_files_survive(repo: Repo, store: SqliteStore) -> None:
    (repo.path / "a.py").rename(repo.path / 'n\new "ü".py')
    (repo.path / "bin").write_bytes(b"\x00\x01")
    (repo.path / os.fsdecode(b"junk\xff")).write_text("x\n")
    (repo.path / ":colon").write_text("")
    (repo.path / "1\t2\ttabs").write_text("y\n")
    repo.commit("Odd names (#1)")
    (repo.path / "bin").unlink()
    (repo.path / ":colon").unlink()
    (repo.path / ":colon").symlink_to("bin")
    repo.commit("Change kinds (#2)")
    fetch(store, repo)
    assert set(pull(store, 1).files or ()) == {
        ChangedFile('n\new "ü".py', "renamed", 0, 0, "a.py", 0, 0),
        ChangedFile("bin", "added", None, None),
        ChangedFile("junk\\xff", "added", 1, 0),
        ChangedFile(":colon", "added", 0, 0),
        ChangedFile("1\t2\ttabs", "added", 1, 0),
    }
    assert (pull(store, 1).additions, pull(store, 1).changed_files) == (2, 5)
    kinds = {file.path: file.status for file in pull(store, 2).files or ()}
    assert kinds == {"bin": "removed", ":colon": "changed"}


def test_junk_in_messages_and_names_is_no_obstacle(repo: Repo, store: SqliteStore) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    raw = (
        f"tree {tree}\nparent {repo.git('rev-parse', 'HEAD')}\n".encode()
        + b"author J\xff \x01 <j\xff@x> 99999999999999 +0000\n"
        + b"committer J <> -5 +9999\n\n\xff\xfe \x01:100644\x01 junk \xe2\x82 (#5)\n\n\xff\n"
    )
    sha = repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw)
    repo.git("reset", "-q", "--hard", sha)
    repo.commit("Next (#6)", a__py="1\n")
    assert fetch(store, repo).read == 2
    assert "junk" in pull(store, 5).title
    assert pull(store, 5).created_at <= pull(store, 5).updated_at
    assert pull(store, 6).deletions == 2


def test_a_message_in_another_encoding_is_decoded(repo: Repo, store: SqliteStore) -> None:
    message = repo.path.parent / "message"
    message.write_bytes("Käse (#3)".encode("latin-1"))
    repo.git("-c", "i18n.commitEncoding=latin1", "commit", "--allow-empty", "-qF", str(message))
    fetch(store, repo)
    assert pull(store, 3).title == "Käse"


def test_a_submodule_counts_as_a_file(repo: Repo, store: SqliteStore) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    repo.git("commit", "-qm", "Add a submodule (#4)")
    fetch(store, repo)
    assert [(file.path, file.status) for file in pull(store, 4).files or ()] == [("sub", "added")]


def test_an_unrelated_history_merged_in_is_one_pull(repo: Repo, store: SqliteStore) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("rm", "-qrf", ".")
    for number in range(5):
        repo.commit(f"Imported (#{number + 100})", **{f"f{number}": "1\n"})
    repo.main()
    repo.merge("other", "Merge pull request #9 from o/other\n\nImport")
    assert fetch(store, repo).read == 1
    assert (pull(store, 9).commits, pull(store, 9).changed_files) == (5, 5)


def test_a_number_that_comes_twice_keeps_its_earliest_merge(repo: Repo, store: SqliteStore) -> None:
    first = repo.commit("Fix (#12)", a__py="1\n")
    repo.commit("Between (#13)", b__py="1\n")
    fetch(store, repo)
    repo.commit("Fix (#12)", a__py="1\n2\n")
    assert fetch(store, repo).read == 0
    repo.commit("Fix (#14)")
    repo.commit("Fix (#14)")
    assert fetch(store, repo).read == 1
    assert pull(store, 12).merge_sha == first


def test_a_second_run_reads_only_what_is_new(repo: Repo, store: SqliteStore) -> None:
    repo.commit("One (#1)", a__py="1\n")
    assert fetch(store, repo) != FetchReport()
    assert fetch(store, repo) == FetchReport(resumed=2, branch="main")
    repo.commit("Two (#2)", a__py="2\n")
    report = fetch(store, repo)
    assert (report.read, report.written.inserted, report.resumed) == (1, 1, 2)


@pytest.mark.parametrize("forget", [False, True])
def test_rewritten_history_is_read_anew(repo: Repo, store: SqliteStore, forget: bool) -> None:
    repo.commit("One (#1)", a__py="1\n")
    repo.commit("Two (#2)", a__py="2\n")
    fetch(store, repo)
    repo.git("reset", "-q", "--hard", "HEAD~2")
    if forget:
        repo.git("reflog", "expire", "--expire=now", "--all")
        repo.git("gc", "-q", "--prune=now")
    sha = repo.commit("One again (#1)", a__py="9\n")
    repo.commit("Three (#3)", a__py="3\n")
    assert fetch(store, repo).read == 2
    assert (pull(store, 1).title, pull(store, 1).merge_sha) == ("One again", sha)


def test_another_salt_or_since_reads_all_anew(repo: Repo, store: SqliteStore) -> None:
    repo.commit("One (#1)", a__py="1\n")
    repo.commit("Two (#2)", a__py="2\n")
    assert fetch(store, repo, since=after(3)).read == 1
    assert fetch(store, repo, since=after(3)).read == 0
    assert fetch(store, repo).written.inserted == 1
    assert fetch(store, repo, salt=b"t" * 32).written.updated == 2
    assert pull(store, 1).author == pseudonym("ann@x.org", b"t" * 32)


def test_a_foxtrot_merge_hides_no_pull(repo: Repo, store: SqliteStore) -> None:
    repo.branch("local")
    repo.commit("Fix a typo in my notes", local="1\n")
    repo.main()
    shas = [repo.commit(f"Change {n} (#{n})", **{f"f{n}": "1\n"}) for n in range(1, 4)]
    repo.git("checkout", "-q", "local")
    repo.merge("main", "Merge branch 'main' of github.com:o/r")
    repo.git("branch", "-f", "main")
    repo.main()
    shas.append(repo.commit("Change 4 (#4)", f4="1\n"))
    report = fetch(store, repo)
    assert (report.read, report.branch, report.unnumbered) == (4, "main", 1)
    found = pulls(store)
    assert [each.merge_sha for each in found] == shas
    assert [each.files for each in found] == [(ChangedFile(f"f{n}", "added", 1, 0),)
                                              for n in range(1, 5)]  # fmt: skip


def test_a_pull_on_a_release_branch_counts_when_that_is_merged_up(
    repo: Repo, store: SqliteStore
) -> None:
    repo.branch("1.x")
    repo.branch("topic")
    repo.commit("Work", b__py="1\n")
    repo.git("checkout", "-q", "1.x")
    merged = repo.merge("topic", "Merge pull request #1 from bob/topic\n\nFix b")
    repo.commit("Fix c (#2)", c__py="1\n")
    repo.main()
    repo.commit("Add d (#3)", d__py="1\n")
    repo.merge("1.x", "Merge branch '1.x'")
    repo.commit('Revert "Fix c (#2)" (#4)')
    assert fetch(store, repo).read == 4
    assert [found.number for found in pulls(store)] == [1, 2, 3, 4]
    assert (pull(store, 1).merge_sha, pull(store, 1).commits) == (merged, 1)
    assert fetch(store, repo).read == 0


def test_what_a_later_merge_up_brings_in_is_read_by_the_next_run(
    repo: Repo, store: SqliteStore
) -> None:
    repo.branch("1.x")
    repo.commit("Fix c (#2)", c__py="1\n")
    repo.main()
    repo.commit("Add d (#3)", d__py="1\n")
    assert fetch(store, repo).read == 1
    repo.merge("1.x", "Merge branch '1.x'")
    assert fetch(store, repo).read == 1
    assert pull(store, 2).additions == 1


def test_the_default_branch_of_the_remote_is_read_whatever_is_checked_out(
    repo: Repo, store: SqliteStore, tmp_path: Path
) -> None:
    repo.commit("One (#1)", b__py="1\n")
    clone = tmp_path / "other"
    repo.git("clone", "-q", str(repo.path), str(clone))
    other = Repo.__new__(Repo)
    other.path, other.hours = clone, 10
    other.branch("feature")
    other.commit("Not merged (#2)", c__py="1\n")
    report = fetch(store, other, repository="o/r")
    assert (report.read, report.branch) == (1, "origin/main")
    other.git("remote", "set-head", "origin", "--delete")
    assert fetch(store, other, repository="o/r").branch == "origin/main"
    assert fetch(store, other, repository="o/r", ref="HEAD").written.inserted == 1
    assert {found.number for found in pulls(store)} == {1, 2}


def test_a_pull_that_another_source_knows_by_its_commit_is_no_direct_push(
    repo: Repo, store: SqliteStore
) -> None:
    repo.commit("Rebased", b__py="1\n")
    sha = repo.commit("Rebased too", b__py="2\n")
    repo.commit("Pushed", b__py="3\n")
    known = Pull(
        repository="o/r", number=5, created_at=START, updated_at=START, merged_at=START,
        merge_sha=sha, commits=2,
    )  # fmt: skip
    store.upsert([known])
    report = fetch(store, repo)
    assert (report.read, report.unnumbered) == (0, 1)


def test_another_branch_can_be_read(repo: Repo, store: SqliteStore) -> None:
    repo.branch("release")
    repo.commit("Only here (#8)", a__py="1\n")
    repo.main()
    assert fetch(store, repo).read == 0
    assert fetch(store, repo, ref="release").read == 1
    with pytest.raises(InputError, match="no commit at --help"):
        fetch(store, repo, ref="--help")


def test_a_bare_clone_gives_the_same_pulls(repo: Repo, store: SqliteStore, tmp_path: Path) -> None:
    repo.branch("topic")
    repo.commit("Work", b__py="1\n")
    repo.main()
    repo.merge("topic", "Merge pull request #1 from o/topic\n\nWork")
    fetch(store, repo)
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    with SqliteStore(tmp_path / "bare.sqlite") as other:
        fetch(other, bare, repository="o/r")
        assert list(other.events("o/r")) == list(store.events("o/r"))


def test_a_partial_clone_gives_files_without_line_counts(
    repo: Repo, store: SqliteStore, tmp_path: Path
) -> None:
    repo.commit("One (#1)", b__py="1\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(partial))
    report = fetch(store, partial, repository="o/r")
    assert pull(store, 1).files == (ChangedFile("b.py", "added", None, None),)
    assert (pull(store, 1).changed_files, pull(store, 1).additions) == (1, None)
    assert pull(store, 1).lines is None
    assert report.lines is not None
    assert "partial clone" in report.lines


def test_a_treeless_clone_is_refused(repo: Repo, store: SqliteStore, tmp_path: Path) -> None:
    repo.commit("One (#1)", b__py="1\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    treeless = tmp_path / "treeless"
    repo.git("clone", "-q", "--bare", "--filter=tree:0", f"file://{repo.path}", str(treeless))
    with pytest.raises(InputError, match="treeless") as caught:
        fetch(store, treeless, repository="o/r")
    assert "--refetch" in str(caught.value)


def test_a_shallow_clone_is_refused(repo: Repo, store: SqliteStore, tmp_path: Path) -> None:
    repo.commit("One (#1)", b__py="1\n")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    with pytest.raises(InputError, match="shallow") as caught:
        fetch(store, tmp_path / "shallow", repository="o/r")
    assert "--unshallow" in str(caught.value)


def test_an_empty_repository_is_explained(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no commit at main(.|\n)*empty"):
        fetch(store, Repo(tmp_path / "empty"))


def test_what_is_no_repository_is_explained(
    repo: Repo, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (repo.path / "folder").mkdir()
    with pytest.raises(InputError, match="is not a folder"):
        fetch(store, tmp_path / "file")
    for folder in (tmp_path / "home", repo.path / "folder"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(
            InputError, match="is not a git repository: fatal: not a git repository"
        ):
            fetch(store, folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git program is not installed"):
        fetch(store, repo)


def test_the_name_comes_from_origin_or_must_be_given(tmp_path: Path, store: SqliteStore) -> None:
    elsewhere = Repo(tmp_path / "elsewhere", origin="https://user:secret@git.example.org/o/r.git")
    elsewhere.commit("One (#1)")
    with pytest.raises(InputError, match="--repository owner/name") as caught:
        fetch(store, elsewhere)
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="no repository name"):
        fetch(store, elsewhere, repository="../r")
    assert fetch(store, elsewhere, repository="x/y").read == 1


def lose(repo: Repo, revision: str) -> bytes:
    """Remove an object, and return what its file held."""
    sha = repo.git("rev-parse", revision)
    file = repo.path / ".git" / "objects" / sha[:2] / sha[2:]
    content = file.read_bytes()
    file.unlink()
    return content


def test_a_missing_blob_costs_the_line_counts_of_its_file(repo: Repo, store: SqliteStore) -> None:
    for number in range(1, 6):
        repo.commit(f"Change (#{number})", b__py=f"b{number}\n", c__py=f"c{number}\n")
    lose(repo, "HEAD~2:b.py")
    report = fetch(store, repo)
    assert (report.read, report.unreadable) == (5, 2)
    counts = {
        number: {file.path: file.additions for file in pull(store, number).files or ()}
        for number in range(1, 6)
    }
    whole, damaged = {"b.py": 1, "c.py": 1}, {"b.py": None, "c.py": 1}
    assert counts == {1: whole, 2: whole, 3: damaged, 4: damaged, 5: whole}


def test_a_missing_blob_of_a_renamed_file_costs_its_counts(repo: Repo, store: SqliteStore) -> None:
    lines = "".join(f"{number}\n" for number in range(50))
    repo.commit("Add (#1)", b__py=lines)
    (repo.path / "b.py").unlink()
    repo.commit("Move (#2)", moved__py=f"{lines}more\n", c__py="1\n")
    lose(repo, "HEAD:moved.py")
    assert fetch(store, repo).unreadable == 1
    files = {file.path: (file.status, file.additions) for file in pull(store, 2).files or ()}
    assert files == {"b.py": ("removed", 0), "c.py": ("added", 1), "moved.py": ("added", None)}


def test_a_missing_tree_costs_the_files_of_its_commit(repo: Repo, store: SqliteStore) -> None:
    for number in range(1, 4):
        repo.commit(f"Change (#{number})", b__py=f"{number}\n")
    lose(repo, "HEAD^{tree}")
    report = fetch(store, repo)
    assert (report.read, report.unreadable) == (3, 1)
    assert pull(store, 3).files is None
    assert pull(store, 2).additions == 1


def test_without_a_commit_nothing_can_be_read_until_it_is_mended(
    repo: Repo, store: SqliteStore
) -> None:
    for number in range(1, 5):
        repo.commit(f"Change (#{number})", b__py=f"{number}\n")
    damaged = repo.path / ".git" / "objects" / (sha := repo.git("rev-parse", "HEAD~1"))[:2]
    content = lose(repo, "HEAD~1")
    with pytest.raises(InputError, match="git log failed") as caught:
        fetch(store, repo)
    assert "fsck" in str(caught.value)
    damaged.mkdir(exist_ok=True)
    (damaged / sha[2:]).write_bytes(content)
    fetch(store, repo)
    assert [found.number for found in pulls(store)] == [1, 2, 3, 4]


TRAPS = (
    "core.fsmonitor", "core.pager", "pager.log", "diff.external", "diff.bad.command",
    "diff.bad.textconv", "gpg.program", "core.sshCommand", "core.gitProxy", "core.editor",
    "remote.origin.uploadpack", "core.alternateRefsCommand", "credential.helper",
)  # fmt: skip
DISTORTIONS = {
    "log.showSignature": "true", "log.diffMerges": "combined", "color.ui": "always",
    "diff.noprefix": "true", "diff.relative": "true", "diff.orderFile": "missing",
    "diff.renames": "false", "log.showRoot": "false", "diff.submodule": "log",
    "format.pretty": "oneline", "log.follow": "true", "core.quotePath": "true",
    "log.mailmap": "true", "diff.ignoreSubmodules": "all",
}  # fmt: skip


def test_nothing_that_the_repository_configures_is_run_or_changes_what_is_read(
    repo: Repo, store: SqliteStore, tmp_path: Path
) -> None:
    repo.git("mv", "a.py", "moved.py")
    signed_sha = _sign(repo, repo.commit("Move (#1)", __gitattributes="* diff=bad\n"))
    trap, mark = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    trap.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        shutil.copy(trap, repo.path / ".git" / "hooks" / hook)
    for key in TRAPS:
        repo.git("config", key, str(trap))
    for key, value in DISTORTIONS.items():
        repo.git("config", key, value)
    mark.unlink(missing_ok=True)
    fetch(store, repo)
    assert pull(store, 1).files == (
        ChangedFile(".gitattributes", "added", 1, 0),
        ChangedFile("moved.py", "renamed", 0, 0, "a.py", 0, 0),
    )
    assert pull(store, 1).merge_sha == signed_sha
    assert not mark.exists()
    repo.git("-c", "diff.orderFile=/dev/null", "log", "--no-ext-diff", "-p")
    assert mark.exists(), "the trap works: git alone springs it"


def _sign(repo: Repo, sha: str) -> str:
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n"
    signed = repo.git("cat-file", "commit", sha).replace("\n\n", f"\n{signature}", 1)
    sha = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed.encode())
    repo.git("update-ref", "refs/heads/main", sha)
    return sha


def test_a_partial_clone_never_calls_its_server(
    repo: Repo, store: SqliteStore, tmp_path: Path
) -> None:
    trap, mark = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch '{mark}'\nexit 1\n")
    trap.chmod(0o755)
    repo.commit("One (#1)", b__py="1\n")
    blob = repo.git("rev-parse", "HEAD:b.py")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "remote.origin.url": "ssh://git@github.com/o/r", "remote.origin.promisor": "true",
        "core.sshCommand": str(trap), "core.repositoryFormatVersion": "1",
    }.items():  # fmt: skip
        repo.git("config", key, value)
    fetch(store, repo)
    assert pull(store, 1).files == (ChangedFile("b.py", "added", None, None),)
    assert not mark.exists()


def test_a_run_killed_at_any_moment_and_repeated_ends_as_if_undisturbed(
    repo: Repo, tmp_path: Path
) -> None:
    import_many(repo, 1_500)
    with SqliteStore(tmp_path / "whole.sqlite") as whole:
        assert fetch(whole, repo).read == 1_500
        expected = list(whole.events("o/r")), whole.checkpoint("git:o/r:main")
    first = [found for found in expected[0] if not found.is_push][:4]
    assert [found.commits for found in first] == [1, None, 1, None]
    moment, kills, killed = random.Random(3), 0, tmp_path / "killed.sqlite"
    calls = run_killed(DRIVER, tmp_path / "calm.sqlite", repo.path) or 0
    while run_killed(DRIVER, killed, repo.path, after=moment.randrange(1, calls // 2)) is None:
        kills += 1
    assert kills > 3
    with SqliteStore(killed) as store:
        fetch(store, repo, lines=tmp_path / "killed.sqlite.lines")
        assert (list(store.events("o/r")), store.checkpoint("git:o/r:main")) == expected
    assert len(list(tmp_path.glob("killed.sqlite.lines/*/*"))) == 1


def import_many(repo: Repo, count: int) -> None:
    """Pulls by turns merged and squashed, each touching one file."""
    stream, parent = [], repo.git("rev-parse", "HEAD")

    def add(ref: str, message: str, when: int, *parents: str) -> None:
        who = f"W{when % 7} <w{when % 7}@x.org> {int(START.timestamp()) + when} +0000"
        change = f"M 644 inline f{when % 50}.py\ndata {len(str(when)) + 1}\n{when}\n\n"
        lines = "".join(
            f"{'from' if n == 0 else 'merge'} {parent}\n" for n, parent in enumerate(parents)
        )
        stream.append(
            f"commit {ref}\nmark :{when}\nauthor {who}\ncommitter {who}\n"
            f"data {len(message)}\n{message}\n{lines}{change}"
        )

    for number in range(1, count + 1):
        mark = number * 10
        if number % 2:
            add("refs/heads/topic", f"Work {number}", mark, parent)
            subject = f"Merge pull request #{number} from w/topic\n\nTitle {number}"
            add("refs/heads/main", subject, mark + 1, parent, f":{mark}")
            parent = f":{mark + 1}"
        else:
            add("refs/heads/main", f"Squashed (#{number})", mark, parent)
            parent = f":{mark}"
    repo.git("fast-import", "--quiet", "--force", stdin="".join(stream).encode())
