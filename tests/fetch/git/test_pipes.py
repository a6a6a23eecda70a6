"""A repository with a pipe where git expects a file."""

import os
from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.git.program import Git


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "refs/heads/main"])
def test_a_pipe_is_refused_before_git_waits_for_it(
    name: str, tmp_path: Path, *, bare: bool
) -> None:
    folder = tmp_path if bare else tmp_path / ".git"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(InputError, match=f"{name} is no file"):
        Git(tmp_path)
