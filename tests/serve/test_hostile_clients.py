"""Clients that send too much, or too slowly."""

import contextlib
import socket
import time

import psutil

from support.serving import Served, score


def rss(one: Served) -> float:
    """MB of the worker."""
    (worker, *_) = psutil.Process(one.process.pid).children()
    return float(worker.memory_info().rss / 1e6)


def test_a_body_of_100_mb_is_refused_without_being_kept(service: Served) -> None:
    before = rss(service)
    for declared in (True, False):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as one:
            size = b"Content-Length: 100000000" if declared else b"Transfer-Encoding: chunked"
            head = b"POST /v1/score HTTP/1.1\r\nHost: x\r\n" + size
            one.sendall(head + b"\r\nContent-Type: application/json\r\n\r\n")
            with contextlib.suppress(OSError):  # it closes the connection: that is the point
                for _ in range(100):
                    piece = b" " * 1_000_000
                    one.sendall(piece if declared else b"F4240\r\n" + piece + b"\r\n")
            one.settimeout(5)
            with contextlib.suppress(OSError):  # or reset before the answer could be read
                assert b" 413 " in one.recv(200)
    assert rss(service) < before + 40
    assert score(service.url).status_code == 200


def test_a_slow_body_is_given_up(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as one:
        one.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        assert b" 408 " in one.recv(200)


def test_slow_heads_do_not_keep_others_waiting(service: Served) -> None:
    slow = [socket.create_connection(("127.0.0.1", service.port), timeout=20) for _ in range(100)]
    for one in slow:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
    assert score(service.url).status_code == 200
    time.sleep(1.7)
    for one in slow:
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(100) == b""  # closed by the service
        one.close()
