"""Counts from the patches in GitHub's objects of files."""

import json
from typing import Any

import pytest

from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest

PATCH = (
    "@@ -1,6 +1,6 @@ def f():\n import os\n-x = 1\n+x = 2\n+# why\n y\n z\n-\n--- a/x\n"
    "\\ No newline at end of file"
)


def parsed(*files: dict[str, Any], **further: Any) -> Pull:
    moment = "2024-01-01T00:00:00Z"
    pull = {"number": 1, "created_at": moment, "updated_at": moment, "files": files, **further}
    return parse_rest(json.dumps(pull), repository="o/r")


def file(name: str = "a.py", **fields: Any) -> dict[str, Any]:
    return {"filename": name, "additions": 2, "deletions": 3, "patch": PATCH, **fields}


def test_a_patch_gives_hunks_and_counts_without_origins() -> None:
    pull = parsed(file(), {"filename": "logo.png", "additions": 0, "deletions": 0})

    lines = pull.lines
    assert lines is not None
    assert (lines.rewrites, lines.neighbours) == (None, None)
    assert (lines.code_added, lines.code_removed) == (1, 2)
    assert (lines.comments_added, lines.blanks_removed) == (1, 1)
    assert (lines.hunks_added, lines.hunks_removed, lines.hunks_changed) == (0, 1, 1)
    assert pull.files is not None
    assert [(each.code_added, each.code_removed) for each in pull.files] == [(1, 2), (None, None)]


@pytest.mark.parametrize(
    "pull",
    [
        parsed(),
        parsed({"filename": "a.py", "additions": 1, "deletions": 0}),
        parsed(file(), {"filename": "b.py", "additions": 9_000, "deletions": 0}),
        parsed(file(additions=3)),
        parsed(file(), changed_files=2),
    ],
    ids=["no files", "no patches", "a patch is left out", "a patch is cut", "files are left out"],
)
def test_what_the_patches_do_not_tell_is_unknown(pull: Pull) -> None:
    assert pull.lines is None


def test_a_renamed_file_and_files_that_are_no_code_need_no_patch() -> None:
    renamed = {"filename": "c.py", "status": "renamed", "additions": 0, "deletions": 0}
    pull = parsed(file(), renamed, file("README.md", patch=None), file("tests/test_a.py"))

    assert pull.lines is not None
    assert pull.lines.code_added == 1


@pytest.mark.parametrize("text", ["", "\n", "@@", "@@ -1 +1 @@", "\ud800\n-", "+" * 1_000_000])
def test_strange_patches_are_read_too(text: str) -> None:
    fields: dict[str, Any] = {"additions": None, "deletions": None, "patch": text}
    pull = parsed(file(**fields))

    assert pull.lines is not None
    assert pull.lines.code_removed <= 1
