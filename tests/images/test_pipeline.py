"""The four images one after the other, each as in the cluster, against the real servers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from pullrisk.lake import Lake
from pullrisk.lake.delta import FeatureTable
from support.containers.network import interfaces
from support.containers.platform import API_KEY, CREDENTIALS, PULLS, REPOSITORIES, Platform
from support.containers.pod import ROOT, SETTINGS, Pod, answers
from support.containers.pod import SERVED as URL
from support.load import load_settings
from support.mlflow_server import ADMIN, PASSWORD
from support.serving import opened

MakePod = Callable[..., Pod]
KEY = {"authorization": f"Bearer {API_KEY}"}


@pytest.fixture(params=["fetched", "preprocessed", "trained", "served"])
def pod(request: pytest.FixtureRequest) -> Pod:
    found: Pod = request.getfixturevalue(request.param)
    return found


def get(path: str) -> Any:
    found = httpx.get(f"{URL}{path}", headers=KEY, timeout=20)
    assert found.status_code == 200, found.text
    return found.json()


def test_the_network_has_no_way_out(network: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("a network of one's own needs root")
    assert interfaces() == ["lo"]


def test_data_fetch_fills_the_store(fetched: Pod, cluster: Platform) -> None:
    assert fetched.code == 0, fetched.log
    assert "2 repositories up to date" in fetched.output
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        assert client["pullrisk"]["pulls"].count_documents({}) == PULLS * len(REPOSITORIES)


def test_spark_preprocess_fills_the_lake(preprocessed: Pod, cluster: Platform) -> None:
    assert preprocessed.code == 0, preprocessed.log
    lake = Lake("s3://lake/lake", s3=cluster.seaweed.s3)
    table = FeatureTable.open(lake.files)
    assert table is not None
    assert sum(file.rows for file in table.parquet_files()) == PULLS * len(REPOSITORIES)
    assert lake.repositories() == sorted(REPOSITORIES)


def test_ml_training_registers_a_model(trained: Pod, cluster: Platform) -> None:
    assert trained.code == 0, trained.log
    asked = {"name": "pullrisk", "version": "1"}
    found = httpx.get(
        f"{cluster.mlflow.uri}/api/2.0/mlflow/model-versions/get",
        params=asked,
        auth=(ADMIN, PASSWORD),
    )
    assert found.json()["model_version"]["status"] == "READY"


def test_a_second_run_of_a_batch_stage_finds_nothing_new(
    trained: Pod, make_pod: MakePod, vault: dict[str, str]
) -> None:
    again = make_pod("ml-training").run(vault)
    assert again.code == 0, again.log
    fetched = make_pod("data-fetch").run(vault, ["fetch", *REPOSITORIES])
    assert fetched.code == 0, fetched.log
    assert "0 new" in fetched.output
    preprocessed = make_pod("spark-preprocess").run(vault)
    assert preprocessed.code == 0, preprocessed.log
    assert "nothing new: the lake stays" in preprocessed.output


def test_model_serving_answers_with_the_registered_model(served: Pod) -> None:
    model = get("/v1/model")
    assert str(model["registered"]) == "1", model
    body = opened(5)
    found = httpx.post(f"{URL}/v1/score", json=body, headers=KEY, timeout=20)
    assert found.status_code == 200, found.text
    (score,) = found.json()["scores"]
    assert score["basis"] == "history", found.text


def test_model_serving_wants_a_key_and_shows_its_health_without(served: Pod) -> None:
    assert httpx.get(f"{URL}/v1/model", timeout=20).status_code == 401
    assert answers("/healthz")
    assert "pullrisk" in httpx.get(f"{URL}/metrics", timeout=20).text


def test_the_images_own_health_check_passes(served: Pod) -> None:
    image = served.engine.inspect("image", served.image)
    program = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
    assert program[0] == "CMD", "a shell would be needed"
    served.engine.run("exec", served.name, *program[1:])


def test_the_image_bears_a_load_without_a_failure(served: Pod, tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    settings = load_settings(200, most_ms=60_000)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "--headless", "--only-summary", "--host", URL),
            *("-f", str(ROOT / "tests" / "performance" / "locustfile.py"), "--users", "4"),
            *("--spawn-rate", "100", "--run-time", "300s", "--loglevel", "WARNING"),
        ],
        env=os.environ | settings | {"PULLRISK_TEST_KEY": API_KEY, "PULLRISK_TEST_JSON": str(out)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(out.read_text())
    assert figures["missed"] == []
    assert figures["requests"] >= 200


def test_the_analysis_passes_the_pinned_model_and_stops_another(
    served: Pod, make_pod: MakePod, vault: dict[str, str], cluster: Platform
) -> None:
    """The job's own image, arguments and login, against a preview of each kind."""
    good = make_pod("model-serving")
    probes = {"PULLRISK_SERVE__PROBE_PORT": "8083"}
    good.start(vault | probes, ["serve", "--model", "general", "--port", "8082"])
    login = {
        "VAULT_ROLE": "serving-analysis",
        "VAULT_SECRET_PATH": "secret/data/mlops/serving-analysis",
    }

    def analysed(port: int, *, wait: int) -> Pod:
        job = make_pod("model-serving")
        job.token = cluster.token("serving-analysis")
        expected = ROOT / "argo-apps" / "base" / "model-serving" / "expected.json"
        shutil.copy(expected, job.settings)
        url, file = f"http://127.0.0.1:{port}", f"{SETTINGS}/expected.json"
        return job.run(
            vault | login, ["golden", "check", url, "--expected", file, "--wait", str(wait)]
        )

    passed, stopped = analysed(8082, wait=90), analysed(8080, wait=0)
    good.stop()
    assert passed.code == 0, passed.log
    assert stopped.code == 1, stopped.log
    assert "model" in stopped.output


def test_its_environment_is_vaults_variables_and_the_manifests_settings(pod: Pod) -> None:
    assert pod.environment.keys() >= {"VAULT_ADDR", "VAULT_ROLE"}
    assert pod.environment.keys() <= pod.spec.env.keys()


def test_no_credential_is_seen_from_outside(pod: Pod) -> None:
    shown = pod.shown()
    token = (pod.token / "token").read_text()
    assert [secret for secret in (*CREDENTIALS, token) if secret in shown] == []


def test_it_writes_nothing_beside_its_scratch_folder(pod: Pod) -> None:
    assert pod.changes == set()


def test_its_log_is_json_and_nothing_unexpected(pod: Pod) -> None:
    words = ("Traceback", "Warning", "WARN ", "Exception", "defect of pullrisk")
    noise = [line for line in pod.log.splitlines() if any(word in line for word in words)]
    assert noise == []


def test_sigterm_drains_and_ends_with_0(served: Pod) -> None:
    served.stop()
    assert served.code == 0, served.log
    assert served.changes == set()
