"""Credentials in the history: one that was taken back still leaked."""

from pathlib import Path

import pytest

from delivery.cli import main
from support.repositories import git

TOKEN = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    commit(folder, "a.txt", "nothing\n")
    return folder


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", name)
    return git(folder, "rev-parse", "HEAD")


def test_a_clean_history_passes(clone: Path) -> None:
    assert main(["--clone", str(clone), "secrets"]) == 0


def test_a_credential_taken_back_in_the_next_commit_is_found(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    since = git(clone, "rev-parse", "HEAD")
    commit(clone, "b.txt", f"token = {TOKEN}\n")
    after = commit(clone, "b.txt", "token = none\n")
    assert main(["--clone", str(clone), "secrets", "--since", since]) == 3
    shown = capsys.readouterr()
    assert "b.txt" in shown.out
    assert TOKEN not in shown.out + shown.err
    assert main(["--clone", str(clone), "secrets", "--since", after]) == 0
