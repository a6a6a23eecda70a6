"""Tags that say what a model came from."""

from pathlib import Path

import pytest

import pullrisk.train.lineage as module
from pullrisk.features import SCHEMA_HASH
from pullrisk.pulls.outcomes import LABEL_DEFINITION
from pullrisk.train.lineage import lineage
from support.repositories import git
from support.training import quick_dataset


def test_lineage_names_the_data_the_features_and_the_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_COMMIT", "0123abc")
    data = quick_dataset()
    found = lineage(data, {"version": "7", "lake": "s3://lake"})
    assert found["dataset_version"] == "7"
    assert found["dataset_lake"] == "s3://lake"
    assert found["dataset_rows"] == str(len(data))
    assert found["schema_hash"] == SCHEMA_HASH
    assert found["label_definition"] == f"{LABEL_DEFINITION} repaired or reverted 90d"
    assert found["git_commit"] == "0123abc"


def test_the_commit_of_a_checkout_is_told_and_whether_the_code_was_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_COMMIT", raising=False)
    code = tmp_path / "pullrisk" / "train" / "lineage.py"
    code.parent.mkdir(parents=True)
    code.write_text("one")
    monkeypatch.setattr(module, "__file__", str(code))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert lineage(quick_dataset(), {})["git_commit"] == head
    code.write_text("two")
    assert lineage(quick_dataset(), {})["git_commit"] == f"{head}-dirty"


def test_an_installation_inside_another_project_s_checkout_takes_no_commit_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_COMMIT", raising=False)
    git(tmp_path, "init", "-q")
    code = tmp_path / ".venv" / "pullrisk" / "train" / "lineage.py"
    code.parent.mkdir(parents=True)
    code.write_text("installed")
    monkeypatch.setattr(module, "__file__", str(code))
    assert "git_commit" not in lineage(quick_dataset(), {})
