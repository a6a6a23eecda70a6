"""The service keeps to its own OpenAPI document, whatever it is sent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.serving import Served, opened

QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def pulls(draw: st.DrawFn) -> dict[str, Any]:
    """A real pull request with a few of its fields, or of its files' fields, replaced."""
    found = opened()
    for name in draw(st.lists(st.sampled_from(sorted(found)), max_size=4, unique=True)):
        found[name] = draw(JSON | st.text() | st.sampled_from([-1, 2**63, 2**53, 1e308, "", []]))
    if draw(st.booleans()):
        field = st.sampled_from(["filename", "status", "additions", "deletions"])
        found["files"] = [{"filename": draw(st.text(max_size=300)), draw(field): draw(JSON)}]
    return found


def test_schemathesis_finds_no_violation(service: Served, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    arguments = ["run", f"{service.url}/openapi.json", "--max-examples=25", "--seed=1"]
    ran = subprocess.run(
        [program, *arguments, "--phases=coverage,fuzzing", "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[:4000]
    assert "Tested: " in ran.stdout


def test_the_document_is_openapi_3_1_and_names_every_route(client: httpx.Client) -> None:
    found = client.get("/openapi.json").json()
    assert found["openapi"] == "3.1.0"
    assert {"/v1/score", "/v1/pulls", "/readyz", "/metrics"} <= found["paths"].keys()
    text = json.dumps(found)
    used = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert used <= found["components"]["schemas"].keys()


@QUIET
@given(pull=pulls())
def test_a_strange_pull_is_scored_or_refused_and_never_a_defect(
    client: httpx.Client, pull: dict[str, Any]
) -> None:
    try:
        body = json.dumps(pull).encode()
    except UnicodeEncodeError:
        return
    answered = client.post("/v1/score", content=body)
    assert answered.status_code in {200, 400, 422}, answered.text
    if answered.status_code == 200:
        (found,) = answered.json()["scores"]
        assert 0 <= found["risk"] <= 1
        assert 0 <= found["novelty"] <= 100


@QUIET
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_an_answer_that_is_no_defect(client: httpx.Client, body: bytes) -> None:
    for path in ("/v1/score", "/v1/score/features"):
        assert client.post(path, content=body).status_code in {400, 404, 422}
