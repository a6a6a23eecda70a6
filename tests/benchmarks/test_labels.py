"""The same answers under two labels."""

import numpy as np
import pyarrow as pa
import pytest

import labels
from pullrisk.train.evaluation import OURS
from support.training import training_of_both_with_code


@pytest.fixture
def touched() -> np.ndarray:
    """A label of the pulls of the shared training that counts three times as many; some unknown."""
    data, _ = training_of_both_with_code()
    random = np.random.default_rng(0)
    found = data.repaired | (random.random(len(data)) < 0.1)
    return np.where(random.random(len(data)) < 0.2, -1, found).astype(np.int8)


def test_both_labels_judge_the_same_answers_on_the_same_pulls(
    touched: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "RESAMPLES", 3)
    data, trained = training_of_both_with_code()
    found = labels.judge("later", trained.bundle, data, touched)
    ours, theirs = found.labels["ours"], found.labels["touched"]
    assert ours.pulls == theirs.pulls
    assert ours.positives < theirs.positives
    assert ours.models.keys() == theirs.models.keys() > {OURS}
    assert theirs.code_pulls is not None
    assert 0 < theirs.code_pulls.pulls < theirs.pulls
    said = labels.text([found])
    assert f"label touched, {theirs.pulls:,} all pulls, {theirs.positives:,} repaired" in said


def test_a_pull_that_the_data_does_not_know_or_is_too_young_there_has_no_label() -> None:
    data, _ = training_of_both_with_code()
    name, number = data.repositories[data.repository[0]], data.number.tolist()
    rows = {
        "repo": [name] * 3,
        "number": number[:3],
        "mature": [True, True, False],
        "repaired90": [True, False, True],
    }
    found = labels.known_to_both(data, pa.table(rows))
    assert found[:4].tolist() == [1, 0, -1, -1]
    assert (found >= 0).sum() == 2


def test_without_the_data_it_is_skipped_with_a_reason(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setattr(labels, "DATA", folder / "pulls.parquet")
    monkeypatch.setattr("sys.argv", ["labels.py", "--home", str(folder)])
    assert labels.main() == 0
    assert capsys.readouterr().out.startswith("skipped: ")
