"""How the git program is asked."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.git import program
from pullrisk.fetch.git.program import Git


@pytest.fixture
def path(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
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
    subprocess.run(["git", "-C", str(path), "config", "remote.origin.url", url], check=True)
    assert Git(path).github_name() == name


def test_without_origin_there_is_no_name(path: Path) -> None:
    assert Git(path).github_name() is None


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
    subprocess.run(
        ["git", "-C", str(path), "fast-import", "--quiet"],
        input=b"".join(
            b"commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1000\n%s\n"
            % (n, b"x" * 1000)
            for n in range(2_000)
        ),
        check=True,
    )
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
