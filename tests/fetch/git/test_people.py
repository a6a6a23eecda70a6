"""Who wrote the pulls of a clone: .mailmap, noreply addresses, an open pull's own commits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.git.open_pulls import with_author
from pullrisk.fetch.git.people import Writers, authorship
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.salt import pseudonym
from pullrisk.progress import Silent
from pullrisk.pulls.people import NO_NAMES, BotNames, name_of
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.repositories import git

SALT = b"s" * 32
WORK, PRIVATE = "mara@acme.example", "77+mara@users.noreply.github.com"
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


class Clone:
    """A repository that grows commit by commit."""

    def __init__(self, path: Path) -> None:
        self.path, self._seconds = path, int(NOON.timestamp())
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        moment = f"{self._seconds} +0000"
        return git(
            self.path, *arguments, GIT_AUTHOR_DATE=moment, GIT_COMMITTER_DATE=moment,
            GIT_COMMITTER_NAME="X", GIT_COMMITTER_EMAIL="x@acme.example",
        )  # fmt: skip

    def commit(self, message: str, author: str, **files: str) -> str:
        self._seconds += 3600
        for name, text in files.items():
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--author", author, "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


def fetched(clone: Clone, store: SqliteStore, names: BotNames = NO_NAMES) -> dict[int, Pull]:
    fetch_git(clone.path, store, salt=SALT, progress=Silent(), repository="o/r", names=names)
    return {pull.number: pull for pull in store.pulls("o/r")}


def mailmap(clone: Clone, text: str) -> None:
    (clone.path / ".mailmap").write_text(text)
    clone.commit("Map", "X <x@acme.example>")


def test_the_branch_s_mailmap_names_one_person_and_keeps_what_was_written(
    clone: Clone, store: SqliteStore
) -> None:
    mailmap(clone, f"Mara <{WORK}> <{PRIVATE}>\n")
    clone.commit("Change (#1)", f"Mara <{WORK}>")
    clone.commit("Change (#2)", f"Mara <{PRIVATE}>")
    pulls = fetched(clone, store)
    assert pulls[1].author == pulls[2].author == pseudonym(WORK, SALT)
    assert pulls[1].author_names == ()
    assert pulls[2].author_names == (name_of(pseudonym(PRIVATE, SALT)), "login:mara")


def test_configuration_of_the_clone_names_no_mailmap_outside(
    clone: Clone, store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text(f"Eve <eve@x.example> <{WORK}>\n")
    clone.git("config", "mailmap.file", str(tmp_path / "outside"))
    clone.commit("Change (#1)", f"Mara <{WORK}>")
    assert fetched(clone, store)[1].author == pseudonym(WORK, SALT)


def test_names_of_the_settings_count_in_a_clone() -> None:
    writers = Writers()
    writers.add("Release Team", "team@acme.example", "team@acme.example")
    names = BotNames(bots=frozenset(("release team",)))
    assert authorship(writers, salt=SALT, names=names)["bot"]
    assert not authorship(writers, salt=SALT)["bot"]


def test_the_fork_s_owner_tells_whether_a_bot_or_a_person_opened_the_pull() -> None:
    writers = Writers()
    for name, email, commits in (("minikube-bot", "bot@acme.example", 3), ("Mara", WORK, 1)):
        for _ in range(commits):
            writers.add(name, email, email)
    person = authorship(writers, fork="mara", salt=SALT)
    assert (person["author"], person["bot"]) == (pseudonym(WORK, SALT), False)
    assert authorship(writers, fork="minikube-bot", salt=SALT)["bot"]
    assert authorship(writers, salt=SALT)["bot"]


def test_agents_are_known_by_trailers_and_by_their_own_commits(
    clone: Clone, store: SqliteStore
) -> None:
    trailer = "Co-authored-by: Claude <noreply@anthropic.com>"
    clone.commit(f"Change (#1)\n\n{trailer}", f"Mara <{WORK}>")
    clone.commit("Change (#2)", "Copilot <198+Copilot@users.noreply.github.com>")
    clone.commit("Change (#3)", "Claude Dupont <claude@dupont.example>")
    pulls = fetched(clone, store)
    assert [(pulls[n].bot, pulls[n].agent) for n in (1, 2, 3)] == [
        (False, "claude"),
        (True, "copilot"),
        (False, None),
    ]


def an_open(number: int = 9, **facts: object) -> Pull:
    known = {"repository": "o/r", "number": number, "created_at": NOON, "updated_at": NOON}
    return Pull(**{**known, "author": "mara", **facts})  # type: ignore[arg-type]


def told(clone: Clone, pull: Pull) -> Pull:
    git = Git(clone.path)
    base = git.head("main")
    git.use_mailmap(base)
    return with_author(git, pull, base=base, salt=SALT)


ADDRESS = (name_of(pseudonym(WORK, SALT)),)


@pytest.fixture
def branched(clone: Clone) -> tuple[Clone, str]:
    """A clone with a branch `topic` by Mara, behind which others went on; and its head."""
    clone.commit("Begin", "X <x@acme.example>")
    clone.git("checkout", "-q", "-b", "topic")
    clone.commit("Wip", "Jo <jo@acme.example>")
    clone.commit("Wip", f"Mara <{WORK}>")
    head = clone.commit("Wip\n\nCo-authored-by: Cursor <cursoragent@cursor.com>", f"Mara <{WORK}>")
    clone.git("checkout", "-q", "main")
    clone.commit("Other", "Eve <eve@acme.example>")
    return clone, head


def test_the_own_commits_of_an_open_pull_name_its_author_and_agent(
    branched: tuple[Clone, str],
) -> None:
    clone, head = branched
    found = told(clone, an_open(head_sha=head))
    assert (found.author_names, found.agent) == (ADDRESS, "cursor")
    assert told(clone, an_open(head_sha=head, merged_at=NOON)).author_names == ()


@pytest.mark.parametrize("ref", ["refs/pull/9/head", "refs/remotes/origin/pr/9"])
def test_a_pull_s_head_is_found_by_github_s_refs(branched: tuple[Clone, str], ref: str) -> None:
    clone, head = branched
    clone.git("update-ref", ref, head)
    clone.git("branch", "-q", "-D", "topic")
    assert told(clone, an_open(head_sha="a" * 40)).author_names == ADDRESS


def test_a_branch_counts_only_where_it_is_not_a_fork_s(branched: tuple[Clone, str]) -> None:
    clone, _ = branched
    assert told(clone, an_open(head_ref="topic", head_repository="o/r")).author_names == ADDRESS
    assert told(clone, an_open(head_ref="topic", head_repository="m/r")).author_names == ()


@pytest.mark.parametrize("ref", ["--output=x", "a\x00b", "a b", "\ud800", "^main", "x" * 300, ""])
def test_a_hostile_branch_name_finds_nothing(branched: tuple[Clone, str], ref: str) -> None:
    clone, _ = branched
    assert told(clone, an_open(head_ref=ref, head_sha="--all", base_ref=ref)).author_names == ()


def test_commits_of_many_people_or_of_another_login_name_nobody(clone: Clone) -> None:
    clone.commit("Begin", "X <x@acme.example>")
    clone.git("checkout", "-q", "-b", "topic")
    clone.commit("Wip", "Jo <7+jo@users.noreply.github.com>")
    assert told(clone, an_open(head_ref="topic")).author_names == ()
    clone.commit("Wip", "Mara <77+Mara@users.noreply.github.com>")
    clone.commit("Wip", "Jo <jo@acme.example>")
    assert told(clone, an_open(head_ref="topic")).author_names == ("login:mara",)
    clone.commit("Wip", f"Bo <{WORK}>")
    assert told(clone, an_open(head_ref="topic", author="bo")).author_names == ()


def test_other_names_of_bots_read_a_clone_anew(clone: Clone, store: SqliteStore) -> None:
    clone.commit("Change (#1)", "Release Team <team@acme.example>")
    names = BotNames.of(["Release Team"], [])
    for chosen, bot in ((NO_NAMES, False), (names, True), (NO_NAMES, False)):
        assert fetched(clone, store, chosen)[1].bot is bot


def test_a_mailmap_that_comes_later_counts_for_what_was_read_before(
    clone: Clone, store: SqliteStore
) -> None:
    clone.commit("Change (#1)", f"Mara <{PRIVATE}>")
    assert fetched(clone, store)[1].author == pseudonym(PRIVATE, SALT)
    mailmap(clone, f"Mara <{WORK}> <{PRIVATE}>\n")
    assert fetched(clone, store)[1].author == pseudonym(WORK, SALT)


def test_a_commit_that_the_clone_lacks_stops_nothing(branched: tuple[Clone, str]) -> None:
    clone, head = branched
    parent = clone.git("rev-parse", f"{head}^")
    (clone.path / ".git" / "objects" / parent[:2] / parent[2:]).unlink()
    assert told(clone, an_open(head_sha=head)).author == "mara"
