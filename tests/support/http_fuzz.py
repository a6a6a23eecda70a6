"""Requests that no client sends: valid ones, changed byte by byte, and what the service says."""

import json
import random
import re
import socket
from collections.abc import Iterator
from contextlib import suppress

from pullrisk.features import NAMES
from support.serving import opened

PATHS = (
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/model", "/v1/pulls?limit=5",
    "/v1/repositories", "/v1/pulls/kedro-org/kedro/7?explain=false",
)  # fmt: skip
TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\xff",
    b"\xc3\x28",
    b"%00",
    b"%",
    b"//",
    b"../",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 5, 6\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Host: localhost\r\n",
    b"Host: a:b:c\r\n",
    b"Content-Type: application/json; charset=\xe9\r\n",
    b"Authorization: Bearer \r\n",
    b"X-Request-Id: a\r\n b\r\n",
    b"traceparent: 00-0-0-0\r\n",
    b"0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"1;a=b\r\nx\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HTTP/0.9",
    b"HTTP/1.0",
    b"HTTP/9.9",
    b"CONNECT ",
    b"OPTIONS * ",
    b"GET http://localhost/ ",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b'"',
    b"\\",
    b"\\ud800",
    b"null",
    b"-",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b"a" * 3_000,
    b"[" * 500,
    b"X: y\r\n" * 150,
)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def valid() -> list[bytes]:
    """A request for every route, with bodies of known and unknown length."""
    head = "HTTP/1.1\r\nHost: localhost\r\n"
    requests = [f"GET {path} {head}\r\n".encode() for path in PATHS]
    row = json.dumps([0.5] * len(NAMES)).encode()
    pull = json.dumps(opened()).encode()
    for path, body in (
        ("/v1/score", pull),
        ("/v1/score?explain=false", b"[%s]" % pull),
        ("/v1/score/features", row),
        ("/v1/score", b'{"repository":"o/r","number":1}'),
        ("/v1/admin/reload", b""),
    ):
        start = f"POST {path} {head}Content-Type: application/json\r\n".encode()
        requests.append(start + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        requests.append(start + b"Transfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunked(body))
    return requests


def chunked(body: bytes, size: int = 700) -> bytes:
    """The chunks of a body, without the last one."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One of the seeds, or two in a row, with a few changes."""
    request = bytearray(chance.choice(seeds))
    if chance.random() < 0.3:
        request += chance.choice(seeds)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 12))):
        _change(chance, request)
    return bytes(request)


def _change(chance: random.Random, request: bytearray) -> None:
    # half of the changes in the line and the headers, where the parser is
    end = len(request) if chance.random() < 0.5 else min(len(request), 160)
    start = chance.randrange(end + 1)
    kind = chance.randrange(5)
    if kind == 0:
        request[start:start] = chance.choice(TOKENS)
    elif kind == 1:
        del request[start : start + chance.choice((1, 2, 10, 200))]
    elif kind == 2:
        request[start : start + 1] = bytes([chance.randrange(256)])
    elif kind == 3:
        request[start:start] = request[start : start + chance.choice((1, 10, 100))]
    else:
        request[start : start + 4] = chance.choice(TOKENS)


def send(port: int, request: bytes, *, patience: float = 60) -> list[int]:
    """The statuses of all answers to these bytes.

    After the first answer, or `patience` seconds, our side is closed: the server takes that for
    the client's end, and so gives up what it still waits for.
    """
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        with suppress(OSError):  # it may have answered and closed before it has read all
            connection.sendall(request)
        with suppress(TimeoutError, ConnectionError):
            answer += connection.recv(1 << 16)
        connection.settimeout(60)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
    return [int(status) for status in _STATUS.findall(bytes(answer))]


def statuses(port: int, *, seed: int) -> Iterator[tuple[bytes, list[int]]]:
    """For ever: a request and what the service answered."""
    chance, seeds = random.Random(seed), valid()
    while True:
        request = mutated(chance, seeds)
        yield request, send(port, request, patience=0.3)
