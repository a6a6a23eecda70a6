"""The round trip through a real MLflow on SQLite."""

import json
from functools import partialmethod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Silent
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.mlflow_client import Tracking, import_mlflow
from pullrisk.train.registry import download, versions
from pullrisk.train.tracking import RunRecord, Tracked, track
from pullrisk.train.training import TrainSettings
from support.tables import NAMES, SCHEMA
from support.tracking import fresh_tracking
from support.training import shared_training


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    data, trained = shared_training()
    options = Options(resamples=5, baselines=False)
    return evaluate(trained.bundle, data, options=options, progress=Silent())


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return Tracking.local(tmp_path_factory.mktemp("home"))


def record(evaluation: Evaluation, **tags: str) -> RunRecord:
    return RunRecord(
        settings=msgspec.to_builtins(TrainSettings()),
        tags=tags,
        epochs=shared_training()[1].epochs,
        evaluation=evaluation,
        predictions=b"parquet",
    )


@pytest.fixture(scope="module")
def tracked(tracking: Tracking, evaluation: Evaluation) -> list[Tracked]:
    """Two runs of the same training, one after the other."""
    _, trained = shared_training()
    made = record(
        evaluation, dataset_version="7", dataset_lake="https://ann:of-ann-0f1e2d3c@lake/x"
    )
    return [track(tracking, trained.bundle, made) for _ in range(2)]


def test_every_version_is_challenger_and_none_is_champion_before_the_gate(
    tracking: Tracking, tracked: list[Tracked]
) -> None:
    assert [run.aliases for run in tracked] == [("challenger",), ("challenger",)]
    client = import_mlflow().MlflowClient(tracking.uri, tracking.uri)
    found = client.get_registered_model("pullrisk").aliases
    aliases = {alias: str(version) for alias, version in found.items()}
    assert aliases == {"challenger": tracked[1].version}


def test_of_two_first_trainings_at_once_each_uses_what_the_other_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(client: Any, create: Any, *arguments: Any, **named: Any) -> Any:
        create(client, *arguments, **named)
        return create(client, *arguments, **named)

    tracking, clients = fresh_tracking(tmp_path), import_mlflow().MlflowClient
    for name in ("create_experiment", "create_registered_model"):
        monkeypatch.setattr(clients, name, partialmethod(overtaken, getattr(clients, name)))
    bundle = shared_training()[1].bundle
    assert track(tracking, bundle, RunRecord(settings={}, tags={})).version == "1"


def test_a_password_in_a_tag_is_masked_before_it_is_logged(
    tracking: Tracking, tracked: list[Tracked]
) -> None:
    client = import_mlflow().MlflowClient(tracking.uri, tracking.uri)
    tags = client.get_run(tracked[0].run_id).data.tags
    assert tags["dataset_lake"] == "https://***@lake/x"
    assert tags["dataset_version"] == "7"
    version = client.get_model_version("pullrisk", tracked[0].version)
    assert version.tags["dataset_lake"] == "https://***@lake/x"


@pytest.mark.parametrize("reference", ["@challenger", "2"])
def test_a_registered_model_comes_back_byte_for_byte(
    tracking: Tracking, tracked: list[Tracked], tmp_path: Path, reference: str
) -> None:
    path = download(tracking, reference, tmp_path)
    assert path.read_bytes() == shared_training()[1].bundle.data
    assert tracked[1].version == "2"


def test_the_registered_model_has_its_signature_and_scores_through_pyfunc(
    tracking: Tracking, tracked: list[Tracked]
) -> None:
    mlflow = import_mlflow()
    mlflow.set_tracking_uri(tracking.uri)
    try:
        model = mlflow.pyfunc.load_model(f"models:/pullrisk/{tracked[0].version}")
    finally:
        mlflow.set_tracking_uri("")
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, len(NAMES))
    data, trained = shared_training()
    code = trained.bundle.raw(data.x[:1])[2]
    outputs = {spec.name: spec.shape for spec in model.metadata.signature.outputs.inputs}
    assert {name: outputs[name] for name in ("risk", "novelty_error", "code")} == {
        "risk": (-1,), "novelty_error": (-1,), "code": (-1, code.shape[1]),
    }  # fmt: skip
    found = model.predict({"x": data.x[:5]})
    np.testing.assert_allclose(found["risk"], trained.bundle.raw(data.x[:5])[0], atol=1e-6)


def test_the_run_holds_parameters_metrics_of_every_epoch(
    tracking: Tracking, tracked: list[Tracked], evaluation: Evaluation
) -> None:
    client = import_mlflow().MlflowClient(tracking.uri, tracking.uri)
    run = client.get_run(tracked[0].run_id)
    assert run.data.params["fit.shape.hidden"] == "64"
    assert run.data.tags["dataset_version"] == "7"
    expected = evaluation.flat()["pooled_auc"]
    assert run.data.metrics["test_pooled_auc"] == pytest.approx(expected)
    losses = client.get_metric_history(tracked[0].run_id, "training_loss")
    assert [point.step for point in losses] == [1, 2, 3, 4]


def test_the_evaluation_lies_beside_the_run_under_home(
    tracking: Tracking, tracked: list[Tracked], evaluation: Evaluation
) -> None:
    (path,) = (tracking.artifacts / tracked[0].run_id).rglob("evaluation.json")
    assert json.loads(path.read_text())["pulls"] == evaluation.pulls


def test_a_model_that_is_not_registered_is_a_model_error(
    tracking: Tracking, tracked: list[Tracked], tmp_path: Path
) -> None:
    assert tracked
    with pytest.raises(ModelError, match="refused"):
        download(tracking, "99", tmp_path)


def test_nothing_is_said_and_the_caller_s_settings_are_left_alone(
    tmp_path: Path, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]
) -> None:
    mlflow = import_mlflow()
    trained = shared_training()[1]
    track(Tracking.local(tmp_path), trained.bundle, record(evaluation))
    assert not mlflow.tracking.is_tracking_uri_set()
    assert "".join(capfd.readouterr()) == ""


def test_a_downloaded_model_loads(
    tracking: Tracking, tracked: list[Tracked], tmp_path: Path
) -> None:
    assert tracked
    assert Bundle.load(download(tracking, "@challenger", tmp_path), schema_hash=SCHEMA).metadata


def test_a_signature_that_mlflow_loses_is_an_error_and_nothing_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluation: Evaluation
) -> None:
    """What happens in mlflow issue 25593: saved without an error, and without the signature."""
    mlflow, log_model = import_mlflow(), import_mlflow().onnx.log_model

    def lossy(model: object, **options: Any) -> Any:
        return log_model(model, **options | {"signature": None})

    monkeypatch.setattr(mlflow.onnx, "log_model", lossy)
    tracking = fresh_tracking(tmp_path)
    with pytest.raises(ModelError, match="without its signature"):
        track(tracking, shared_training()[1].bundle, record(evaluation))
    assert versions(tracking) == []
