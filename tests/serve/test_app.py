"""What a running service answers."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pullrisk.features import NAMES, SCHEMA_HASH
from pullrisk.pulls.rest import parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from support.http_fuzz import send
from support.processes import until
from support.sample import sample_objects
from support.serving import STORED, Served, make_home, opened

REPOSITORY = "kedro-org/kedro"


def score(client: httpx.Client, body: object, **query: str) -> httpx.Response:
    return client.post("/v1/score", json=body, params=query)


def only(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    (found,) = response.json()["scores"]
    return dict(found)


def test_an_open_pull_gets_risk_novelty_reasons_and_the_state_of_its_history(
    client: httpx.Client,
) -> None:
    response = score(client, opened())
    found = only(response)
    assert response.json()["model"]["schema_hash"] == SCHEMA_HASH
    assert (found["basis"], found["state"]) == ("history", "open")
    assert 0 < found["risk"] < 1
    assert found["band"] in {"low", "elevated", "high"}
    assert found["history"]["known"] is True
    assert found["history"]["pulls"] == STORED
    assert isinstance(found["reasons"], list)
    assert found["brief"] is None


def test_reasons_are_left_out_on_request(client: httpx.Client) -> None:
    found = only(score(client, opened(), explain="false"))
    assert found["reasons"] is found["brief"] is None


def test_the_whole_brief_is_told_on_request(client: httpx.Client) -> None:
    found = only(score(client, opened(), brief="true"))
    brief = found["brief"]
    assert brief["verdict"].endswith("%).")
    assert brief["reasons"] == found["reasons"]
    for same in ("number", "risk", "as_of"):
        assert brief[same] == found[same]


def test_open_pulls_of_the_store_on_the_same_files_are_under_way(tmp_path: Path) -> None:
    asked, other = opened(), opened(number=999_999, title="The other one")
    with SqliteStore(make_home(tmp_path / "home") / "pulls.sqlite") as store:
        store.upsert([parse_rest(json.dumps(other))])
    with Served(tmp_path / "home").wait() as served, httpx.Client(base_url=served.url) as client:
        (beside,) = only(score(client, asked, brief="true"))["brief"]["under_way"]
    assert (beside["number"], beside["title"]) == (999_999, "The other one")


def test_a_stored_pull_is_scored_by_its_number_as_the_row_of_its_merge(
    client: httpx.Client,
) -> None:
    number = opened(place=100)["number"]
    asked = only(score(client, {"repository": REPOSITORY, "number": number}))
    got = only(client.get(f"/v1/pulls/{REPOSITORY}/{number}"))
    assert asked["basis"] == got["basis"] == "row"
    assert asked["risk"] == got["risk"]


def test_a_pull_of_an_unknown_repository_says_so(client: httpx.Client) -> None:
    pull = opened()
    pull["base"]["repo"]["full_name"] = "some/where"
    found = only(score(client, pull))
    assert found["basis"] == "no history"
    assert found["history"]["known"] is False


def test_a_list_is_answered_in_its_order(client: httpx.Client) -> None:
    pulls = [opened(number=10**6 + place) for place in range(40)]
    answered = score(client, pulls, explain="false").json()["scores"]
    assert [one["number"] for one in answered] == [pull["number"] for pull in pulls]


def test_rows_of_features_are_scored_as_they_are(client: httpx.Client) -> None:
    row = [0.0] * len(NAMES)
    one = client.post("/v1/score/features", json=row).json()["scores"]
    two = client.post("/v1/score/features", json=[row, row]).json()["scores"]
    for each in two:
        assert each == pytest.approx(one[0], rel=1e-3)
    assert list(one[0]) == ["risk", "repair", "revert", "novelty_error"]
    assert one[0]["risk"] >= max(one[0]["repair"] or 0, one[0]["revert"] or 0)
    assert client.post("/v1/score/features", json=row[1:]).status_code == 422


def test_a_feature_that_is_unknown_is_null_in_a_row(client: httpx.Client) -> None:
    row = [None, *[0.0] * (len(NAMES) - 1)]
    known = client.post("/v1/score/features", json=[0.0, *row[1:]]).json()["scores"][0]
    for body in (row, [row, row]):
        one = client.post("/v1/score/features", json=body).json()["scores"][0]
        assert 0 < one["risk"] < 1
        assert one["novelty_error"] != known["novelty_error"]
    unknown = client.post("/v1/score/features", json=[None] * len(NAMES)).json()["scores"][0]
    assert unknown["novelty_error"] == 0


def test_the_list_of_pulls_is_filtered_ordered_and_paged(client: httpx.Client) -> None:
    first = client.get("/v1/pulls", params={"limit": 10}).json()
    assert (len(first["pulls"]), first["total"], first["next"]) == (10, STORED, 10)
    second = client.get("/v1/pulls", params={"limit": 10, "offset": 10}).json()
    assert second["pulls"][0] not in first["pulls"]
    riskiest = client.get("/v1/pulls", params={"sort": "risk", "limit": 5}).json()["pulls"]
    assert [one["risk"] for one in riskiest] == sorted((p["risk"] for p in riskiest), reverse=True)
    band = riskiest[0]["band"]
    alike = client.get("/v1/pulls", params={"band": band, "limit": 200}).json()["pulls"]
    assert {one["band"] for one in alike} == {band}
    author = first["pulls"][0]["author"]
    theirs = client.get("/v1/pulls", params={"author": author}).json()["pulls"]
    assert {one["author"] for one in theirs} == {author}
    assert client.get("/v1/pulls", params={"repository": "o/r"}).json()["total"] == 0


def test_repositories_and_the_model_are_described(client: httpx.Client) -> None:
    (one,) = client.get("/v1/repositories").json()["repositories"]
    assert (one["repository"], one["pulls"]) == (REPOSITORY, STORED)
    assert one["replayed_at"] is not None
    model = client.get("/v1/model").json()
    assert (model["source"], model["features"]) == ("general model", list(NAMES))


def test_metrics_count_requests_and_scores(client: httpx.Client) -> None:
    score(client, opened())
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    for line in (
        'pullrisk_requests_total{route="/v1/score",status="200"}',
        'pullrisk_request_seconds_bucket{le="0.001",route="/v1/score"}',
        "pullrisk_scored_total{band=",
        "pullrisk_history_age_seconds ",
        "pullrisk_model_info{",
    ):
        assert line in page.text


def test_the_docs_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert "/v1/score" in page.text
    assert "src=" not in page.text
    assert "http" not in page.text.replace('"http"', "")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_request_id_comes_back_and_stands_in_the_log(
    client: httpx.Client, service: Served
) -> None:
    answered = client.get("/v1/model", headers={"x-request-id": "mine-1"})
    assert answered.headers["x-request-id"] == "mine-1"
    until(lambda: lines_of(service, "mine-1"))
    (line,) = lines_of(service, "mine-1")
    assert (line["path"], line["status"]) == ("/v1/model", 200)
    forged = client.get("/v1/model", headers={"x-request-id": "a b"})
    assert forged.headers["x-request-id"] != "a b"


def test_probes_that_succeed_are_not_in_the_log(client: httpx.Client, service: Served) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"x-request-id": "probe-1"}).status_code == 200
    client.get("/v1/model", headers={"x-request-id": "after-1"})
    until(lambda: lines_of(service, "after-1"))
    assert lines_of(service, "probe-1") == []


def test_a_long_path_does_not_fill_the_log(client: httpx.Client, service: Served) -> None:
    client.get(f"/{'b' * 50_000}", headers={"x-request-id": "long-1"})
    until(lambda: lines_of(service, "long-1"))
    assert len(lines_of(service, "long-1")[0]["path"]) == 1_024


def test_what_needs_no_key_names_no_repository_and_no_path(
    client: httpx.Client, service: Served
) -> None:
    score(client, opened())
    for path in ("/readyz", "/metrics", "/healthz"):
        text = client.get(path).text
        assert REPOSITORY not in text
        assert str(service.home) not in text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1:1", 200),
        ("127.9.9.9", 200),
        ("[::1]", 200),
        ("[::1]:65535", 200),
        ("example.org", 421),
        ("127.0.0.1.example.org", 421),
        ("localhost.example.org:8080", 421),
        ("localhost@example.org", 421),
        ("0.0.0.0", 421),
        ("10.0.0.1", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/v1/model", "/metrics", "/docs"])
def test_without_keys_only_names_of_this_machine_are_answered(
    client: httpx.Client, host: str, path: str, status: int
) -> None:
    assert client.get(path, headers={"host": host}).status_code == status


@pytest.mark.parametrize("hosts", [("localhost", "a.example"), ("a.example", "localhost")])
def test_a_second_host_does_not_hide_the_first(service: Served, hosts: tuple[str, str]) -> None:
    named = "".join(f"Host: {host}\r\n" for host in hosts)
    assert send(service.port, f"GET /v1/model HTTP/1.1\r\n{named}\r\n".encode()) == [421]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", f"/{'a' * 60_000}", {}),
        ("GET", f"/v1/pulls?{'a' * 60_000}", {}),
        ("A" * 60_000, "/v1/model", {}),
        ("GET", "/v1/model", {"x-request-id": "a" * 30_000, "traceparent": "0" * 30_000}),
        ("GET", "/v1/model", {"authorization": "a" * 30_000, "cookie": "a" * 30_000}),
    ],
    ids=["path", "query", "method", "id", "key"],
)
def test_no_part_of_a_request_fills_the_log(
    service: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    before = log_size(service)
    httpx.request(method, f"{service.url}{path}", headers=headers, timeout=60)
    assert log_size(service) - before < 3_000


def log_size(service: Served) -> int:
    """The size of the log once it has the line of every request so far, and of one more."""
    own = uuid4().hex
    httpx.get(f"{service.url}/v1/model", headers={"x-request-id": own}, timeout=60)
    until(lambda: lines_of(service, own))
    return service.log.stat().st_size


def lines_of(service: Served, request_id: str) -> list[dict[str, Any]]:
    return [line for line in service.events("request") if line["id"] == request_id]


def test_options_names_the_methods(client: httpx.Client) -> None:
    answered = client.options("/v1/score")
    assert (answered.status_code, answered.headers["allow"]) == (204, "OPTIONS, POST")


def test_head_answers_as_get_without_a_body(client: httpx.Client) -> None:
    answered = client.head("/v1/model")
    assert (answered.status_code, answered.content) == (200, b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b'{"number": NaN}', 400),
        (b'{"number": 1, "title": "\xff\xfe"}', 400),
        (b'{"number": 1, "title": "\\ud800"}', 422),
        (b"[" * 100_000, 400),
        (b'{"base":' * 50_000, 400),
        (b'{"number": ' + b"9" * 5_000 + b"}", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"[1, 2]", 422),
        (b"{}", 422),
        (b'{"repository": "../..", "number": 1}', 404),
        (b'{"repository": "o/r", "number": 0}', 422),
        (b'{"repository": "o/r", "number": 5}', 404),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_body_gets_a_problem(client: httpx.Client, body: bytes, status: int) -> None:
    answered = client.post("/v1/score", content=body)
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json()["status"] == status
    assert answered.json()["request_id"] == answered.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/pulls/o/r/x", 404),
        ("GET", "/v1/pulls/o/r/7", 404),
        ("GET", f"/v1/pulls/o/r/{2**64}", 404),
        ("GET", f"/v1/pulls/o/r/{'9' * 5_000}", 404),
        ("GET", f"/{'a' * 60_000}", 404),
        ("GET", f"/v1/pulls?offset={'9' * 5_000}", 422),
        ("GET", "/v1/pulls/o/%2e%2e/7", 404),
        ("DELETE", "/v1/model", 405),
        ("GET", "/v1/score", 405),
        ("GET", "/v1/pulls?limit=0", 422),
        ("GET", "/v1/pulls?limit=1&limit=2", 422),
        ("GET", "/v1/pulls?band=null", 422),
        ("GET", "/v1/pulls?colour=red", 422),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_request_line_gets_a_problem(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answered = client.request(method, path)
    assert answered.status_code == status, answered.text
    assert answered.json()["status"] == status
    assert ("allow" in answered.headers) == (status == 405)


def test_the_problem_names_the_field_and_the_pull_at_fault(client: httpx.Client) -> None:
    answered = score(client, [opened(), opened(additions=-1)])
    assert answered.status_code == 422
    assert "$.additions" in answered.json()["detail"]
    assert "pull request 1" in answered.json()["detail"]


def test_too_many_pulls_are_refused(client: httpx.Client) -> None:
    assert score(client, [opened(files=[], body="")] * 51).status_code == 422


def test_only_json_is_read(client: httpx.Client) -> None:
    answered = client.post("/v1/score", content=b"a=1", headers={"content-type": "text/plain"})
    assert answered.status_code == 415


def test_the_whole_sample_is_scored_without_a_defect(client: httpx.Client) -> None:
    pulls = sample_objects()
    for start in range(STORED, len(pulls), 50):
        answered = score(client, pulls[start : start + 50], explain="false")
        assert answered.status_code == 200, answered.text
