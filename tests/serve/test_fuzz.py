"""Bytes that are no proper request get no defect for an answer, and stop nothing."""

from itertools import islice

import httpx
import hypothesis
import pytest

from support.http_fuzz import send, statuses, valid
from support.page_fuzz import requests
from support.serving import Served, score

NO_DEFECT = {503, 504}
"""Statuses from 500 on that are no defect: too much at once, too slow."""


@pytest.mark.parametrize("seed", range(3))
def test_changed_bytes_are_answered_or_refused_and_never_a_defect(
    service: Served, seed: int
) -> None:
    for request, found in islice(statuses(service.port, seed=seed), 60):
        assert all(status < 500 or status in NO_DEFECT for status in found), request
    assert score(service.url).status_code == 200


@hypothesis.settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(request_=requests(["pullrisk=YWJj", ""], [{}, {"x-csrf-token": "a"}]))
def test_hostile_values_in_pages_and_forms_are_answered(service: Served, request_: bytes) -> None:
    found = send(service.port, request_)
    assert all(status < 500 or status in NO_DEFECT for status in found)


def test_requests_that_are_not_changed_are_answered(service: Served) -> None:
    for request in valid():
        found = send(service.port, request)
        assert len(found) == 1, request
        assert found[0] in {200, 404}, request


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Content-Length: 0x5",
        b"Content-Length: 18446744073709551616",
        b"X:" + b"y" * 100_000,
        b"X: y\r\n" * 1_000 + b"Z: z",
    ],
    ids=lambda head: head[:40].decode(),
)
def test_a_second_request_is_not_smuggled_behind_an_ambiguous_head(
    service: Served, head: bytes
) -> None:
    hidden = b"GET /v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = b"5\r\n1,2,3\r\n0\r\n\r\n" + hidden
    request = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + body
    found = send(service.port, request, patience=0.3)
    assert 200 not in found
    assert all(status < 500 for status in found)
    assert httpx.get(f"{service.url}/healthz", timeout=60).status_code == 200
