"""Real MLflow servers: artifacts on real S3, logins, and a server that is away."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_path
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from pullrisk.errors import ModelError
from pullrisk.features import NAMES
from pullrisk.model.bundle import Bundle
from pullrisk.options import GateOptions
from pullrisk.progress import Silent
from pullrisk.serve.registry import Registry
from pullrisk.train.mlflow_client import MlflowLogin, RegistryError, Tracking, authenticate
from pullrisk.train.pending import register
from pullrisk.train.pipeline import TrainResult, train_model
from pullrisk.train.registry import (
    artifact,
    champion,
    download,
    events,
    find,
    predecessor,
    set_champion,
    versions,
)
from pullrisk.train.tracking import RunRecord, track
from pullrisk.train.training import TrainSettings
from support.mlflow_server import ADMIN, PASSWORD, MlflowServer
from support.ports import answers, free_port
from support.processes import PATIENCE, Server
from support.seaweed import Seaweed
from support.training import QUICK, full_table, shared_training

SETTINGS = TrainSettings(fit=QUICK)
BARE = RunRecord(settings={}, tags={})
SECRET = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with Seaweed(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, storage: Seaweed) -> Iterator[MlflowServer]:
    """An MLflow server with its artifacts on SeaweedFS."""
    with MlflowServer(tmp_path_factory.mktemp("mlflow"), seaweed=storage) as running:
        yield running


@pytest.fixture
def no_storage(storage: Seaweed) -> Iterator[None]:
    """SeaweedFS is away while the test runs."""
    storage.stop()
    yield
    storage.start()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tracking(server: MlflowServer, home: Path) -> Tracking:
    return Tracking(server.uri, home / "mlartifacts")


def trained(home: Path, tracking: Tracking, **options: Any) -> TrainResult:
    return train_model(
        full_table(pulls=600), home=home, settings=SETTINGS, tracking=tracking,
        source={"version": "4", "lake": f"s3://lake?token={SECRET}"}, progress=Silent(), **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(home: Path, tracking: Tracking) -> TrainResult:
    return trained(home, tracking, gate=GateOptions(least_positives=1))


def test_training_registers_and_asks_the_gate_on_a_server(
    result: TrainResult, tracking: Tracking, tmp_path: Path
) -> None:
    assert result.decision is not None
    version = find(tracking, result.tracked.version)
    assert version.tags["gate"] == ("passed" if result.decision.promote else "blocked")
    assert version.tags["dataset_version"] == "4"
    assert version.tags["label_definition"].endswith("reverted 90d")
    logged = artifact(tracking, version.run_id, "gate.json", tmp_path)
    assert logged is not None
    assert json.loads(logged)["promote"] == result.decision.promote


def test_artifacts_lie_on_s3_and_none_on_this_machine(
    result: TrainResult, tracking: Tracking, tmp_path: Path
) -> None:
    path = download(tracking, "@challenger", tmp_path)
    assert path.read_bytes() == result.trained.bundle.data
    assert not tracking.artifacts.exists()


def test_no_secret_reaches_the_server(result: TrainResult, server: MlflowServer) -> None:
    uri = f"{server.uri}/api/2.0/mlflow/runs/get?run_id={result.tracked.run_id}"
    answer = httpx.get(uri).text
    assert "dataset_lake" in answer
    assert SECRET not in answer
    assert SECRET not in server.log


def test_promotion_and_rollback_move_the_alias_on_a_server(
    result: TrainResult, tracking: Tracking, tmp_path: Path
) -> None:
    second = track(tracking, result.trained.bundle, BARE)
    first = find(tracking, result.tracked.version)
    set_champion(tracking, first, by="ann", reason="forced: first")
    set_champion(tracking, find(tracking, second.version), by="ann", reason="forced: second")
    set_champion(tracking, predecessor(tracking), by="bob", reason="worse", action="rollback")
    now = champion(tracking)
    assert now is not None
    assert now.version == first.version
    assert [event.action for event in events(tracking)][:3] == ["rollback", "promote", "promote"]
    assert Bundle.load(download(tracking, "@champion", tmp_path)).metadata


def test_the_dashboard_reads_versions_and_changes_of_champion_from_the_server(
    result: TrainResult, tracking: Tracking, server: MlflowServer
) -> None:
    first = find(tracking, result.tracked.version)
    set_champion(tracking, first, by="eve", reason="forced: shown")
    listed = Registry(server.uri).contents()
    assert [each.version for each in listed.versions] == sorted(
        (each.version for each in versions(tracking)), key=int, reverse=True
    )
    assert [each.version for each in listed.versions if "champion" in each.aliases] == [
        first.version
    ]
    assert [(each.action, each.by) for each in listed.changes] == [
        (each.action, each.by) for each in events(tracking)
    ]


def test_a_server_that_is_away_costs_no_training_and_the_model_is_registered_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = MlflowServer(tmp_path / "server")
    tracking = Tracking(server.uri, tmp_path / "artifacts")
    with pytest.raises(
        ModelError, match=r"trained, but not registered.*cannot be reached"
    ) as found:
        trained(tmp_path, tracking, gate=GateOptions())
    (kept,) = (tmp_path / "unregistered").glob("*.onnx")
    assert f"`pullrisk models register {kept}`" in str(found.value)
    assert Bundle.load(tmp_path / "model.onnx").data == kept.read_bytes()
    with server:
        tracked, new = register(tracking, kept)
        assert new
        assert artifact(tracking, tracked.run_id, "evaluation.json", tmp_path) is not None
        assert artifact(tracking, tracked.run_id, "predictions.parquet", tmp_path) is not None


@pytest.mark.usefixtures("no_storage")
def test_a_server_without_its_storage_registers_nothing(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = versions(tracking)
    with pytest.raises(RegistryError):
        track(tracking, shared_training()[1].bundle, BARE)
    assert versions(tracking) == before


def test_wrong_credentials_are_told_as_such_and_right_ones_register(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "")
    bundle = shared_training()[1].bundle
    with MlflowServer(tmp_path / "server", logins=True) as server:
        tracking = Tracking(server.uri, tmp_path / "artifacts")
        authenticate(MlflowLogin(username=ADMIN, password=SecretStr("of-nobody-0f1e2d")))
        with pytest.raises(RegistryError, match="mlflow_username and mlflow_password") as found:
            track(tracking, bundle, BARE)
        assert "of-nobody-0f1e2d" not in str(found.value)
        authenticate(MlflowLogin(username=ADMIN, password=SecretStr(PASSWORD)))
        assert track(tracking, bundle, BARE).version == "1"
        assert PASSWORD not in server.log


def test_a_champion_that_was_never_named_is_told_with_what_to_do(server: MlflowServer) -> None:
    with pytest.raises(RegistryError, match="has no model 99"):
        find(Tracking(server.uri, Path()), "99")


def test_mlflow_models_serve_answers_as_the_bundle_does(
    result: TrainResult, server: MlflowServer, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).random((3, len(NAMES)), np.float32)
    with ModelServer(tmp_path, server, result.tracked.version) as serving:
        body = {"inputs": {"x": rows.tolist()}}
        answer = httpx.post(f"{serving.url}/invocations", json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    found = answer.json()["predictions"]
    risk, error, _ = result.trained.bundle.raw(rows)
    np.testing.assert_allclose(found["risk"], risk, rtol=1e-5)
    np.testing.assert_allclose(found["novelty_error"], error, rtol=1e-4)


class ModelServer(Server):
    """`mlflow models serve`."""

    def __init__(self, folder: Path, registry: MlflowServer, version: str) -> None:
        super().__init__(folder)
        self._registry, self._version, self._port = registry, version, free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
            *("--model-uri", f"models:/pullrisk/{self._version}"),
            *("--host", "127.0.0.1", "--port", str(self._port)),
        ]

    def environment(self) -> dict[str, str]:
        """An activated environment: MLflow starts uvicorn by its name."""
        return os.environ | {
            "PATH": os.pathsep.join([get_path("scripts"), os.environ["PATH"]]),
            "MLFLOW_TRACKING_URI": self._registry.uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def is_ready(self) -> bool:
        return answers(self._port)
