"""A model is loaded anew on request, where the service has keys for that."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.processes import until
from support.serving import GENERAL, Served, served

ADMIN = {"authorization": "Bearer for-administration"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(GENERAL, tmp_path / "model.onnx"))


@pytest.fixture
def service(home: Path, tmp_path: Path, model: Path) -> Iterator[Served]:
    admins, keys = tmp_path / "admins", tmp_path / "keys"
    admins.write_text("for-administration\n")
    keys.write_text("for-scores\n")
    with served(
        home, model=model, admin_keys_file=admins, keys_file=keys, workers=2, refresh=0.2
    ) as one:
        one.until("model loaded", 2)  # a worker that starts late would read what the test wrote
        yield one


def reload(service: Served, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/admin/reload", headers=headers, timeout=60)


def another(model: Path) -> None:
    """The same graph under other metadata, so another version."""
    import onnx

    found = onnx.load(model)
    found.producer_version = "another"
    model.write_bytes(found.SerializeToString())


def test_every_worker_answers_with_the_new_model(service: Served, model: Path) -> None:
    another(model)
    answered = reload(service, ADMIN)
    assert answered.status_code == 200, answered.text
    found = answered.json()
    assert found["before"] != found["model"]["version"]
    service.until("model loaded", 2 + 2 + 1)  # two at the start, one here, and both once more
    scores = {"authorization": "Bearer for-scores"}
    for _ in range(20):  # a connection each, so that both workers are asked
        told = httpx.get(f"{service.url}/v1/model", headers=scores, timeout=60).json()
        assert told["version"] == found["model"]["version"]


def test_a_model_that_cannot_be_used_is_refused_and_the_present_one_stays(
    service: Served, model: Path
) -> None:
    model.write_bytes(b"no model")
    answered = reload(service, ADMIN)
    assert answered.status_code == 409
    assert answered.headers["content-type"] == "application/problem+json"
    assert "is not a readable ONNX file" in answered.json()["detail"]
    assert httpx.get(f"{service.url}/readyz", timeout=60).status_code == 200


def test_a_key_for_scores_may_not_and_the_admin_s_may_not_score(service: Served) -> None:
    assert reload(service, {"authorization": "Bearer for-scores"}).status_code == 401
    assert reload(service, {}).status_code == 401
    asked = httpx.get(f"{service.url}/v1/model", headers=ADMIN, timeout=60)
    assert asked.status_code == 401


def test_the_admin_s_keys_rotate_without_a_restart(service: Served, tmp_path: Path) -> None:
    (tmp_path / "admins").write_text("the-next\n")
    following = {"authorization": "Bearer the-next"}
    until(lambda: reload(service, ADMIN).status_code == 401)
    until(lambda: reload(service, following).status_code == 200)


def test_without_admin_keys_there_is_no_such_route(home: Path) -> None:
    with served(home) as one:
        assert reload(one, ADMIN).status_code == 404
        assert "/v1/admin/reload" not in httpx.get(f"{one.url}/openapi.json").json()["paths"]


def test_the_document_tells_of_the_route_where_there_is_one(service: Served) -> None:
    found = httpx.get(f"{service.url}/openapi.json", timeout=60).json()
    operation = found["paths"]["/v1/admin/reload"]["post"]
    assert {} not in operation["security"]
    assert {"200", "401", "409"} <= operation["responses"].keys()
