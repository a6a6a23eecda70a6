"""Models that wait for their registry."""

from pathlib import Path

import msgspec
import pytest

from pullrisk.errors import ModelError
from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Silent
from pullrisk.train.dataset import Dataset
from pullrisk.train.mlflow_client import Tracking, connected
from pullrisk.train.pending import keep, register
from pullrisk.train.registry import find, versions
from pullrisk.train.tracking import RunRecord
from pullrisk.train.training import Trained, TrainSettings, train
from support.tracking import fresh_tracking
from support.training import QUICK, full_table


@pytest.fixture(scope="module")
def trained() -> Trained:
    data = Dataset.from_table(full_table(pulls=400), NAMES)
    settings = TrainSettings(fit=QUICK)
    return train(data, FEATURES, settings, schema_hash=SCHEMA_HASH, progress=Silent())


@pytest.fixture
def kept(tmp_path: Path, trained: Trained) -> Path:
    record = RunRecord(
        settings=msgspec.to_builtins(TrainSettings()),
        tags={"dataset_version": "7"},
        epochs=trained.epochs,
        predictions=b"answers",
    )
    return keep(tmp_path, trained.bundle, record)


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    return fresh_tracking(tmp_path)


def test_a_kept_model_is_the_trained_one_byte_for_byte(kept: Path, trained: Trained) -> None:
    assert Bundle.load(kept).data == trained.bundle.data
    assert kept.parent.name == "unregistered"


def test_registering_it_later_logs_all_that_its_training_would_have(
    kept: Path, trained: Trained, tracking: Tracking
) -> None:
    tracked, new = register(tracking, kept)
    assert new
    assert tracked.aliases == ("challenger",)
    assert find(tracking, tracked.version).tags["dataset_version"] == "7"
    with connected(tracking) as (_, client):
        run = client.get_run(tracked.run_id)
        assert run.data.params["fit.epochs"] == "6"
        assert len(client.get_metric_history(tracked.run_id, "training_loss")) == 4
        assert "predictions.parquet" in {
            item.path for item in client.list_artifacts(run.info.run_id)
        }


def test_registering_it_twice_leaves_one_version(kept: Path, tracking: Tracking) -> None:
    first, _ = register(tracking, kept)
    again, new = register(tracking, kept)
    assert (again.version, again.run_id, new) == (first.version, first.run_id, False)
    assert len(versions(tracking)) == 1


def test_a_model_without_a_record_is_registered_with_what_it_says_itself(
    kept: Path, tracking: Tracking
) -> None:
    kept.with_suffix(".json").unlink()
    tracked, _ = register(tracking, kept)
    tags = find(tracking, tracked.version).tags
    assert tags["schema_hash"] == SCHEMA_HASH
    assert tags["registered_from"] == kept.name


def test_a_corrupt_model_is_refused_and_nothing_is_registered(
    kept: Path, tracking: Tracking
) -> None:
    kept.write_bytes(kept.read_bytes()[:2000])
    with pytest.raises(ModelError, match="not a readable ONNX file"):
        register(tracking, kept)
    assert versions(tracking) == []


def test_a_corrupt_record_is_refused_by_name(kept: Path, tracking: Tracking) -> None:
    kept.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match=rf"{kept.stem}\.json cannot be read"):
        register(tracking, kept)
    assert versions(tracking) == []


def test_a_file_that_is_not_there_is_a_model_error(tmp_path: Path, tracking: Tracking) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read"):
        register(tracking, tmp_path / "none.onnx")
