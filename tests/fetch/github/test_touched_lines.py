"""Whose lines an open pull touches, as GitHub tells it without a clone."""

import random
from pathlib import Path

import pytest

from pullrisk.fetch.git.patches import read_difference
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.github.touched_lines import _patch_of
from pullrisk.pulls.rest_shapes import RestFile
from support.repositories import git, git_bytes


@pytest.mark.parametrize("seed", range(6))
def test_the_hunks_of_a_rest_patch_are_those_of_git_without_context(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    lines = [f"value_{number} = {chance.randrange(3)}  # x" for number in range(60)]
    commits = []
    git(tmp_path, "init", "-q")
    for _ in range(2):
        (tmp_path / "a.py").write_text("\n".join(lines) + "\n" * chance.randrange(2))
        git(tmp_path, "add", "a.py")
        git(tmp_path, "commit", "-qm", "x")
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
        for _ in range(8):
            place = chance.randrange(len(lines))
            lines[place : place + chance.randrange(3)] = ["# new"] * chance.randrange(3)
    patch = git_bytes(tmp_path, "diff", *commits, "--", "a.py").decode().partition("@@")
    read = _patch_of(RestFile("a.py", "modified", patch="@@" + patch[2].removesuffix("\n")))
    known = read_difference(Git(tmp_path), *commits)
    assert read is not None
    assert known is not None
    assert [hunk[:5] for hunk in read.hunks] == [hunk[:5] for hunk in known.files[0].hunks]


@pytest.mark.parametrize(
    ("file", "previous"),
    [
        (RestFile("a.py", "added", patch="@@ -0,0 +1 @@\n+a"), None),
        (
            RestFile("b.py", "renamed", previous_filename="a.py", patch="@@ -1 +1 @@\n-a\n+b"),
            "a.py",
        ),
        (RestFile("a.py", "removed", patch="@@ -1 +0,0 @@\n-a"), "a.py"),
    ],
)
def test_a_file_is_blamed_under_the_name_that_it_had(file: RestFile, previous: str | None) -> None:
    patch = _patch_of(file)
    assert patch is not None
    assert patch.previous == previous


def test_what_is_no_source_or_has_no_patch_is_not_asked_for() -> None:
    assert _patch_of(RestFile("a.md", "modified", patch="@@ -1 +1 @@\n-a\n+b")) is None
    assert _patch_of(RestFile("a.py", "modified")) is None
