"""How the git program is asked."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.git import program
from pullrisk.fetch.git.program import Git, top_of
from support.repositories import Repository, git


@pytest.fixture
def path(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/owner/name.git", "owner/name"),
        ("https://github.com/owner/name", "owner/name"),
        ("https://GitHub.com/owner/na.me/", "owner/na.me"),
        ("https://user:token@github.com/owner/name.git", "owner/name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("org-1234@github.com:owner/name", "owner/name"),
        ("git@github.com-work:owner/name.git", "owner/name"),
        ("git@github.com.evil.org:owner/name", None),
        ("ssh://git@github.com/owner/name.git", "owner/name"),
        ("ssh://git@ssh.github.com:443/owner/name.git", "owner/name"),
        ("git://github.com/owner/name.git", "owner/name"),
        ("https://gitlab.com/owner/name.git", None),
        ("https://github.com.evil.org/owner/name", None),
        ("https://evil.org/github.com/owner/name", None),
        ("git@evil.org:github.com/owner/name", None),
        ("https://github.com/owner", None),
        ("../name.git", None),
    ],
)
def test_the_name_is_read_from_origins_address(path: Path, url: str, name: str | None) -> None:
    git(path, "config", "remote.origin.url", url)
    assert Git(path).github_name() == name


def test_without_origin_there_is_no_name(path: Path) -> None:
    assert Git(path).github_name() is None


def test_an_address_that_git_is_told_to_write_longer_has_a_name(path: Path) -> None:
    git(path, "config", "url.https://github.com/.insteadOf", "gh:")
    git(path, "config", "remote.origin.url", "gh:owner/name")
    assert Git(path).github_name() == "owner/name"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "r")
    made.commit({"src/a.py": b"x = 1\n"})
    return made


def with_remotes(repository: Repository, *names: str) -> Git:
    for name in names:
        url = f"https://github.com/{name}/project.git"
        repository.git("remote", "add", name, url)
        repository.git("update-ref", f"refs/remotes/{name}/main", "HEAD")
    return Git(repository.path)


@pytest.mark.parametrize(
    ("remotes", "branch", "name"),
    [
        (("origin",), "origin/main", "origin/project"),
        (("origin", "upstream"), "upstream/main", "upstream/project"),
        (("company",), "company/main", "company/project"),
        (("mara", "origin"), "origin/main", "origin/project"),
        ((), "main", None),
    ],
)
def test_pulls_go_into_the_repository_that_a_fork_calls_upstream_else_origin_else_the_only_one(
    repository: Repository, remotes: tuple[str, ...], branch: str, name: str | None
) -> None:
    git = with_remotes(repository, *remotes)
    assert (git.default_branch(), git.github_name()) == (branch, name)


def test_a_remote_that_was_never_fetched_has_no_branches(repository: Repository) -> None:
    repository.git("remote", "add", "upstream", "https://github.com/up/stream")
    assert with_remotes(repository, "origin").default_branch() == "origin/main"
    repository.git("update-ref", "refs/remotes/upstream/somebodys-work", "HEAD")
    assert Git(repository.path).default_branch() == "origin/main"
    repository.git("remote", "remove", "origin")
    assert Git(repository.path).github_name() == "up/stream"


def test_without_a_remote_the_branch_in_hand_is_not_the_one_it_goes_into(
    repository: Repository,
) -> None:
    repository.git("checkout", "-q", "-b", "feature")
    assert Git(repository.path).default_branch() == "main"
    repository.git("branch", "-q", "-m", "main", "own-name")
    assert Git(repository.path).default_branch() == "feature"
    repository.git("checkout", "-q", "--detach")
    assert Git(repository.path).default_branch() == "HEAD"


def test_a_folder_of_a_clone_leads_to_its_top(repository: Repository) -> None:
    top = repository.path
    for inside in (top, top / "src", top / ".git"):
        assert top_of(inside) in (inside, top)
    assert top_of(top / "src") == top
    assert top_of(top / "nothing") == top / "nothing"
    assert top_of(top.parent) == top.parent
    repository.git("clone", "-q", "--bare", ".", "../bare.git")
    assert top_of(top.parent / "bare.git") == top.parent / "bare.git"


def test_variables_of_a_surrounding_git_do_not_lead_elsewhere(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_WORK_TREE", "/nowhere")
    assert Git(path).ask("rev-parse", "--absolute-git-dir") == str(path.resolve() / ".git")


def test_a_failed_question_has_no_answer_and_a_failed_log_says_why(path: Path) -> None:
    git = Git(path)
    assert git.ask("rev-parse", "--verify", "HEAD") is None
    with pytest.raises(InputError, match="git log failed: fatal: bad revision 'nothing'"):
        list(git.log("nothing", "--"))


def children(program: str) -> set[int]:
    """Processes of this one that run `program`, zombies too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, name, _, parent = stat.read_text().split()[:4]
            if name == f"({program})" and int(parent) == os.getpid():
                found.add(int(pid))
    return found


def test_a_reading_given_up_leaves_no_process(path: Path) -> None:
    commits = (
        b"commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1000\n%s\n" % (n, b"x" * 1000)
        for n in range(2_000)
    )
    git(path, "fast-import", "--quiet", stdin=b"".join(commits))
    before = children("git")  # other tests' housekeeping by git may still run
    tokens = Git(path).log("--format=%B", "main", "--")
    assert next(tokens)
    started = children("git") - before
    assert started

    tokens.close()  # type: ignore[attr-defined]

    assert not started & children("git")


def other_owner(monkeypatch: pytest.MonkeyPatch, system: Path | None = None) -> None:
    """Let git see every repository as another user's, and a system configuration."""
    variables = {
        "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1",
        "GIT_CONFIG_SYSTEM": str(system or os.devnull),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    for name, value in variables.items():
        monkeypatch.setitem(program._ENVIRONMENT, name, value)


def test_another_users_clone_is_explained_with_gits_own_remedy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_owner(monkeypatch)
    with pytest.raises(InputError, match="belongs to another user") as caught:
        Git(path)
    assert f"git config --global --add safe.directory {path}" in str(caught.value)


@pytest.mark.parametrize("exception", ["*", "{path}"])
def test_the_systems_exception_for_another_users_clone_is_honoured(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exception: str
) -> None:
    system = tmp_path / "gitconfig"
    system.write_text(f"[safe]\n directory = {exception.format(path=path)}\n[log]\n date = human\n")
    other_owner(monkeypatch, system)
    git = Git(path)
    assert git.ask("rev-parse", "--absolute-git-dir") == str(path.resolve() / ".git")
    assert git.ask("config", "--get", "log.date") is None


def test_an_exception_for_another_clone_is_none_for_this(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system = tmp_path / "gitconfig"
    system.write_text('[safe]\n directory = *\n directory = ""\n directory = /elsewhere\n')
    other_owner(monkeypatch, system)
    with pytest.raises(InputError, match="belongs to another user"):
        Git(path)
