"""A registered model whose file lies in a bucket, which the MLflow server does not hand on."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pullrisk.errors import ModelError
from pullrisk.lake.s3 import open_bucket
from pullrisk.options import S3
from pullrisk.serve.registry import NAME, Registry
from support.loopback import listening
from support.mlflow_server import MlflowServer
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed
from support.serving import GENERAL, score, served

API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with Seaweed(tmp_path_factory.mktemp("s3") / "s3") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, seaweed: Seaweed) -> Iterator[MlflowServer]:
    """A registry that knows where models lie and has no key to that place.

    Version 1, the champion, is the general model; of version 2 the file is missing.
    """
    with open_bucket(seaweed.s3, attempts=3).open_output_stream(
        f"{BUCKET}/models/1/a.onnx"
    ) as file:
        file.write(GENERAL.read_bytes())
    with MlflowServer(tmp_path_factory.mktemp("mlflow") / "m") as running:
        told(running, "registered-models/create", name=NAME)
        for version in (1, 2):
            source = f"s3://{BUCKET}/models/{version}"
            told(running, "model-versions/create", name=NAME, source=source)
        told(running, "registered-models/alias", name=NAME, alias="champion", version="1")
        yield running


def told(server: MlflowServer, path: str, **body: str) -> None:
    httpx.post(f"{server.uri}{API}/{path}", json=body, timeout=20).raise_for_status()


@pytest.mark.parametrize("reference", ["@champion", "1"])
def test_the_file_comes_from_the_bucket_itself(
    server: MlflowServer, seaweed: Seaweed, reference: str
) -> None:
    found = Registry(server.uri, s3=seaweed.s3).fetch(reference)
    assert (found.version, found.data) == ("1", GENERAL.read_bytes())


def test_a_service_answers_with_it(
    server: MlflowServer, seaweed: Seaweed, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home, tmp_path / "home")
    environment = {
        "PULLRISK_MLFLOW_URI": server.uri,
        "PULLRISK_S3__ENDPOINT": seaweed.endpoint,
        "PULLRISK_S3__ACCESS_KEY": ACCESS_KEY,
        "PULLRISK_S3__SECRET_KEY": SECRET_KEY,
    }
    with served(tmp_path / "home", "--model", "@champion", environment=environment) as one:
        assert score(one.url).json()["model"]["registered"] == "1"


@pytest.mark.parametrize(
    "answer",
    [
        b"null", b"[]", b"5", b"", b'{"a":"\xff"}', b"[" * 100_000, b'{"model_versions":5}',
        b'{"model_versions":[{"version":[]}],"registered_model":[]}',
        b'{"model_version":{"version":"1"},"artifact_uri":{},"model_versions":{"a":1}}',
        b'{"model_versions":[{"version":"1","creation_timestamp":"1e99"}],"registered_model":{}}',
    ],
    ids=lambda answer: str(answer)[:40],
)  # fmt: skip
def test_what_mlflow_would_not_answer_is_told(answer: bytes) -> None:
    async def anything(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    with listening(anything) as url:
        with pytest.raises(ModelError, match=r"does not answer as|no JSON|cannot reach"):
            Registry(url).fetch("@champion")
        with pytest.raises(ModelError, match=r"does not answer as|no JSON"):
            Registry(url).contents()


def test_a_missing_file_is_told_with_its_place(server: MlflowServer, seaweed: Seaweed) -> None:
    with pytest.raises(ModelError, match=f"s3://{BUCKET}/models/2"):
        Registry(server.uri, s3=seaweed.s3).fetch("2")


def test_without_keys_to_the_bucket_the_model_is_told_to_be_out_of_reach(
    server: MlflowServer, seaweed: Seaweed
) -> None:
    nobody = SecretStr("nobody")
    stranger = S3(endpoint=seaweed.endpoint, access_key=nobody, secret_key=nobody)
    with pytest.raises(ModelError, match="cannot be read"):
        Registry(server.uri, s3=stranger).fetch("1")
