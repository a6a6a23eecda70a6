"""Traces, as a collector receives them."""

from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.exporter.otlp", reason="the extra otel is not installed")

from pullrisk.serve.tracing import tracing
from support.otlp import collector
from support.processes import until
from support.serving import STORED, opened, served

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def values(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_requests_and_their_parts_are_traced_below_the_caller(home: Path) -> None:
    with collector() as kept:
        own = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{kept.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with served(home, environment=own) as one:
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "x-request-id": "mine-7"}
            body = opened(place=STORED - 1)
            score = httpx.post(f"{one.url}/v1/score", json=body, headers=headers)
            assert score.status_code == 200
            assert httpx.get(f"{one.url}/nothing/secret").status_code == 404
            number = opened(place=100)["number"]
            httpx.get(f"{one.url}/v1/pulls/kedro-org/kedro/{number}").raise_for_status()
            until(lambda: kept.named("GET /v1/pulls/{owner}/{name}/{number}"))
            until(lambda: [e for e in one.events("request") if e["id"] == "mine-7"])
            (line,) = [e for e in one.events("request") if e["id"] == "mine-7"]
        (span,) = kept.named("POST /v1/score")
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
        assert (line["trace_id"], line["span_id"]) == (TRACE, span.span_id.hex())
        told = values(span)
        assert told["pullrisk.request_id"] == "mine-7"
        assert told["http.response.status_code"] == 200
        parts = [each for each in kept.spans if each.parent_span_id == span.span_id]
        # The history is read for it, unless the dashboard's scores needed it before.
        assert {each.name for each in parts} - {"lake"} == {"score"}
        (pull,) = kept.named("GET /v1/pulls/{owner}/{name}/{number}")
        assert pull.trace_id.hex() != TRACE
        below = {each.name for each in kept.spans if each.parent_span_id == pull.span_id}
        assert below == {"store", "lake", "score"}
        assert kept.named("GET unknown")
        assert kept.services == {"model-serving"}


def test_a_collector_that_is_away_fails_no_request(home: Path) -> None:
    own = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with served(home, environment=own) as one:
        for _ in range(20):
            assert httpx.post(f"{one.url}/v1/score", json=opened()).status_code == 200


def test_without_a_collector_nothing_is_traced() -> None:
    assert tracing({"OTEL_SERVICE_NAME": "x"}) is None
