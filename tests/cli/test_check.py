"""`pullrisk check` in a clone, as a person or a hook runs it."""

import json
from pathlib import Path

import pytest

from action.conftest import BIG, history
from pullrisk.cli import main
from support.repositories import git

__all__ = ["history"]


@pytest.fixture
def clone(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "clone", "-q", str(history), str(tmp_path / "clone"))
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def commit(clone: Path, path: str, text: str, message: str = "Add a thing") -> None:
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_text(text)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", message)


def test_the_branch_in_hand_is_briefed(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(clone, "checkout", "-q", "-b", "feature")
    commit(clone, "kedro/new.py", BIG)
    assert main(["check", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "Add a thing" in shown
    assert "#0" not in shown
    assert main(["check", "--quiet", "--format", "json"]) == 0
    (brief,) = json.loads(capsys.readouterr().out)
    assert brief["state"] == "open"
    assert 0 < brief["risk"] < 1
    assert brief["url"] is None


def test_a_folder_inside_the_clone_is_the_clone(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "checkout", "-q", "-b", "feature")
    commit(clone, "kedro/new.py", "x = 1\n")
    monkeypatch.chdir(clone / "kedro")
    assert main(["check", "--quiet"]) == 0
    assert "Add a thing" in capsys.readouterr().out
    assert main(["top", "--git", ".", "--quiet", "-s", "1"]) == 0


def test_a_branch_that_changes_nothing_is_told_so(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "checkout", "-q", "-b", "feature")
    git(clone, "commit", "-q", "--allow-empty", "-m", "Run CI again")
    assert main(["check", "--quiet"]) == 0
    assert "note: it changes no file" in capsys.readouterr().out


def test_without_a_new_commit_it_is_said_what_counts(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--quiet"]) == 0
    assert "what is not committed does not count" in capsys.readouterr().err
    git(clone, "remote", "remove", "origin")
    assert main(["check", "--quiet"]) == 0
    assert "the branch in hand is main, the one that pulls go into" in capsys.readouterr().err


@pytest.mark.parametrize("base", ["nope", "v1", "HEAD~1", "--all", ""])
def test_a_base_that_is_no_branch_is_explained(
    clone: Path, capsys: pytest.CaptureFixture[str], base: str
) -> None:
    git(clone, "tag", "v1")
    assert main(["check", "--quiet", f"--base={base}"]) == 4
    told = capsys.readouterr().err
    assert f"there is no branch {base}" in told
    assert "--base" in told


def test_fail_on_and_the_base_branchs_configuration_decide_the_exit_code(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "checkout", "-q", "-b", "feature")
    commit(clone, "kedro/new.py", BIG)
    commit(clone, ".github/pullrisk.yml", "bands: {high: 0.98, elevated: 0.01}\nfail_on: high\n")
    assert main(["check", "--quiet"]) == 0, "a branch cannot change its own rules"
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    commit(clone, "kedro/new.py", "x = 1\n")
    assert main(["check", "--quiet"]) == 13
    assert main(["check", "--quiet", "--fail-on", "never"]) == 0


@pytest.mark.parametrize("case", ["nothing", "shallow", "no pulls"])
def test_what_cannot_be_scored_is_said_and_blocks_no_push(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    arguments = ["check", "--quiet", "--fail-on", "elevated"]
    if case == "shallow":
        shallow = tmp_path / "shallow"
        git(tmp_path, "clone", "-q", "--depth=1", clone.as_uri(), str(shallow))
        commit(shallow, "a.py", "x = 1\n")
        arguments.append(str(shallow))
    elif case == "no pulls":
        young = tmp_path / "young"
        git(tmp_path, "init", "-q", "-b", "main", str(young))
        commit(young, "a.py", "x = 1\n")
        git(young, "checkout", "-q", "-b", "feature")
        commit(young, "b.py", "x = 1\n")
        arguments += [str(young), "--base", "main"]
    assert main(arguments) == 0
    assert "not scored" in capsys.readouterr().err


def test_a_folder_that_is_no_clone_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path)]) == 4
