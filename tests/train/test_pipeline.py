"""The stage end to end, on rows that the real fold made."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pullrisk.errors import ModelError, NotEnoughDataError
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.train.evaluate import Options
from pullrisk.train.pipeline import MODEL_FILE, TrainResult, evaluate_bundle, train_model
from pullrisk.train.training import TrainSettings
from support.training import QUICK, full_table

SETTINGS = TrainSettings(fit=QUICK)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    home = tmp_path_factory.mktemp("home")
    source = {"version": "4"}
    return train_model(full_table(), home=home, settings=SETTINGS, source=source, progress=Silent())


def test_the_model_file_in_the_home_folder_is_the_trained_one(result: TrainResult) -> None:
    assert result.model.name == MODEL_FILE
    loaded = Bundle.load(result.model)
    assert loaded.data == result.trained.bundle.data
    assert loaded.metadata.facts.dataset_version == "4"
    assert [path.name for path in result.model.parent.glob(".model*")] == []


def test_evaluating_the_file_later_gives_what_training_reported(result: TrainResult) -> None:
    again = evaluate_bundle(Bundle.load(result.model), full_table(), progress=Silent())
    assert msgspec.json.encode(again) == msgspec.json.encode(result.evaluation)


def test_a_failed_training_leaves_the_earlier_model(result: TrainResult) -> None:
    before = result.model.read_bytes()
    with pytest.raises(NotEnoughDataError):
        train_model(full_table(pulls=20), home=result.model.parent, progress=Silent())
    assert result.model.read_bytes() == before


def test_a_home_that_cannot_be_written_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    with pytest.raises(ModelError, match="home"):
        train_model(full_table(), home=home, settings=SETTINGS, progress=Silent())


def test_novelty_is_judged_only_where_pulls_can_be_read(result: TrainResult) -> None:
    assert result.evaluation.novelty is None

    def nothing(_: str) -> Iterator[Pull]:
        return iter(())

    found = evaluate_bundle(
        result.trained.bundle, full_table(), read=nothing,
        options=Options(baselines=False, resamples=5), progress=Silent(),
    )  # fmt: skip
    assert found.novelty is None
