"""Clients that send too much, or too slowly, or a body that nobody asked for."""

import contextlib
import re
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import psutil
import pytest

from support.app import APP_ID, SECRET, private_key
from support.processes import until
from support.serving import Served, score, served

HEAD = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MB = 1_000_000
SECONDS = 60
"""Longer than any answer takes, on a busy machine too."""


@contextlib.contextmanager
def connected(service: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS) as one:
        yield one


@pytest.fixture(scope="module")
def impatient(home: Path) -> Iterator[Served]:
    with served(home, body_timeout=1) as one:
        yield one


def status(one: socket.socket) -> int:
    """The status of the answer, which has to come."""
    found = re.match(rb"HTTP/1\.1 (\d+) ", one.recv(1_000))
    assert found is not None
    return int(found[1])


def rss(one: Served) -> float:
    """MB of the worker."""
    (worker, *_) = psutil.Process(one.process.pid).children()
    return float(worker.memory_info().rss / 1e6)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(service: Served) -> None:
    with connected(service) as one:
        one.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        assert status(one) == 413


def test_a_body_of_unknown_length_is_refused_once_it_is_too_large(service: Served) -> None:
    with connected(service) as one:
        one.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # it answers and closes before all is sent
            for _ in range(3):  # the service takes 2 MB
                one.sendall(b"F4240\r\n" + b" " * MB + b"\r\n")
        assert status(one) == 413


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_100_mb_is_not_kept(service: Served, declared: bool) -> None:
    before = rss(service)
    length = b"Content-Length: 100000000" if declared else b"Transfer-Encoding: chunked"
    piece = b" " * MB if declared else b"F4240\r\n" + b" " * MB + b"\r\n"
    with connected(service) as one:
        one.sendall(HEAD + length + b"\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):  # it closes the connection
            one.sendall(piece * 100)
    assert rss(service) < before + 40
    assert score(service.url).status_code == 200


def test_bodies_that_are_refused_are_not_kept(service: Served) -> None:
    before = rss(service)
    body = b"[%s]" % b",".join([b"1"] * 999_000)
    with httpx.Client(base_url=service.url, timeout=SECONDS) as client:
        for path in ("/v1/score", "/v1/score/features") * 20:
            assert client.post(path, content=body).status_code == 422
    assert rss(service) < before + 40


def test_a_slow_body_is_given_up(impatient: Served) -> None:
    with connected(impatient) as one:
        one.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert answer(one) == (408, ["close"])


def answer(one: socket.socket) -> tuple[int, list[str]]:
    """The status of the next answer, and what it says of the connection."""
    with HTTPResponse(one) as response:
        response.begin()
        response.read()
        return response.status, response.msg.get_all("connection", [])


@pytest.fixture(scope="module")
def keyed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With keys, and a GitHub App."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys").write_text("right")
    (folder / "operators").write_text("operator")
    keys = {"keys_file": folder / "keys", "admin_keys_file": folder / "operators"}
    app = {
        "PULLRISK_GITHUB_APP_ID": APP_ID,
        "PULLRISK_GITHUB_APP_KEY": private_key()[0],
        "PULLRISK_GITHUB_WEBHOOK_SECRET": SECRET,
    }
    with served(home, environment=app, body_timeout=SECONDS, **keys) as one:
        yield one


JSON = "content-type: application/json"
FORM = "content-type: application/x-www-form-urlencoded"
DECLARED = "content-length: 17000"
CHUNKED = "transfer-encoding: chunked"


@pytest.mark.parametrize("length", [DECLARED, CHUNKED])
@pytest.mark.parametrize(
    ("expected", "line", "header"),
    [
        (200, "GET /v1/model", "x-api-key: right"),
        (200, "GET /healthz", JSON),
        (303, "GET /account", "accept: text/html"),
        (401, "POST /v1/score", JSON),
        (401, "POST /v1/score", JSON + "\r\norigin: https://example.org"),
        (401, "POST /v1/admin/reload", JSON),
        (401, "POST /webhooks/github", JSON),
        (403, "POST /sign-out", FORM + "\r\nx-csrf-token: wrong"),
        (404, "POST /nothing", JSON),
        (404, "POST /" + "x" * 2_000, JSON),
        (405, "PUT /v1/score", JSON),
        (415, "POST /v1/score", "x-api-key: right\r\ncontent-type: text/plain"),
        (415, "POST /sign-in/key", JSON),
        (415, "POST /webhooks/github", FORM),
        (422, "POST /v1/score?unknown=1", "x-api-key: right"),
    ],
)
def test_an_answer_before_the_whole_body_says_that_the_connection_ends(
    keyed: Served, expected: int, line: str, header: str, length: str
) -> None:
    with connected(keyed) as one:
        one.sendall(f"{line} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n{length}\r\n\r\n".encode())
        assert answer(one) == (expected, ["close"])
        assert one.recv(1) == b""


@pytest.mark.parametrize("path", ["/v1/score", "/sign-in/key"])
def test_a_body_that_is_too_large_ends_the_connection(service: Served, path: str) -> None:
    form = HEAD.replace(b"/v1/score", path.encode()).replace(b"json", b"x-www-form-urlencoded")
    head = HEAD if path == "/v1/score" else form
    with connected(service) as one:
        one.sendall(head + b"Content-Length: 100000000\r\n\r\n")
        assert answer(one) == (413, ["close"])
        assert one.recv(1) == b""
    with connected(service) as one, contextlib.suppress(ConnectionError):
        one.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n1E8481\r\n" + b"x" * 2_000_001)
        assert answer(one) == (413, ["close"])


def test_without_keys_an_unread_body_to_another_host_ends_the_connection(service: Served) -> None:
    with connected(service) as one:
        one.sendall(HEAD.replace(b"localhost", b"evil.example") + b"Content-Length: 9\r\n\r\n")
        assert answer(one) == (421, ["close"])
        assert one.recv(1) == b""


@pytest.mark.parametrize(
    ("expected", "line", "body"),
    [
        (200, "GET /healthz", ""),
        (404, "GET /nothing", ""),
        (422, "POST /v1/score", "{}"),
        (400, "POST /v1/score", "{"),
        (405, "POST /v1/model", ""),
        (403, "POST /sign-in/key", "key=right&csrf=wrong"),
    ],
)
def test_after_an_answer_to_all_that_was_sent_the_connection_goes_on(
    service: Served, expected: int, line: str, body: str
) -> None:
    kind = FORM if "sign-in" in line else JSON
    declared = f"content-length: {len(body)}\r\n\r\n{body}"
    chunked = f"{CHUNKED}\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    with connected(service) as one:
        for sent in (declared, chunked if body else declared, declared):
            one.sendall(f"{line} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\n{sent}".encode())
            assert answer(one) == (expected, [])


def test_slow_heads_do_not_keep_others_waiting_and_are_closed(impatient: Served) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(impatient)) for _ in range(100)]
        for one in slow:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert httpx.get(f"{impatient.url}/healthz", timeout=SECONDS).status_code == 200
        for one in slow:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(100) == b""


@contextlib.contextmanager
def reading(service: Served, size: int) -> Iterator[socket.socket]:
    """A request whose body the service waits for: it has said `100 Continue`."""
    with connected(service) as one:
        one.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
        assert status(one) == 100
        yield one


def test_beyond_the_requests_in_flight_others_are_put_off_and_probes_are_not(
    service: Served,
) -> None:
    home = service.home
    with served(home, in_flight=2, body_timeout=SECONDS) as one:
        with reading(one, 100), reading(one, 100):
            answered = score(one.url)
            assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
            assert answered.headers["connection"] == "close"
            assert answered.json()["detail"] == "too many requests are under way"
            assert httpx.get(f"{one.url}/readyz").status_code == 200
        until(lambda: score(one.url).status_code == 200)


def test_beyond_the_bytes_in_flight_large_bodies_are_put_off(service: Served) -> None:
    home = service.home
    with served(home, body_mb=2, in_flight_mb=2, body_timeout=SECONDS) as one:
        with reading(one, 2 * MB):
            answered = score(one.url)
            assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
        until(lambda: score(one.url).status_code == 200)
