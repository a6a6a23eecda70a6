"""Connections are bounded, of one address and in all, and end where a client takes no answer."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from pullrisk.options import ServeOptions
from pullrisk.serve.connections import (
    Connection,
    ConnectionGuard,
    connections,
    network,
    raise_file_limit,
    too_many,
)
from pullrisk.serve.inflight import InFlight
from support.ports import free_port
from support.processes import until
from support.serving import Served, served

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


# --- which ones go -----------------------------------------------------------------------------


def made(*addresses: str, idle: int = 0) -> list[Connection]:
    """A connection from each address; their inodes count from 0."""
    return [
        Connection(place, (address, place), address, idle, 0)
        for place, address in enumerate(addresses)
    ]


def test_within_the_bounds_all_stay() -> None:
    assert too_many(made("a", "a", "b"), waiting=set(), most=3, of_address=2) == set()


def test_of_an_address_those_idle_longest_go_and_those_who_wait_for_an_answer_stay() -> None:
    found = [Connection(place, ("a", place), "a", 10 * place, 0) for place in range(5)]
    ended = too_many(found, waiting={("a", 4)}, most=9, of_address=2)
    assert ended == {1, 2, 3}


def test_in_all_whoever_has_most_loses_first() -> None:
    found = made(*"aaaaabbbc")
    ended = too_many(found, waiting=set(), most=5, of_address=9)
    left = [each.address for each in found if each.inode not in ended]
    assert sorted(left) == ["a", "a", "b", "b", "c"]


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%lo", "fe80::2", True),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(host: str, other: str, same: bool) -> None:
    assert (network(host) == network(other)) is same


# --- in this process ---------------------------------------------------------------------------


@contextmanager
def pairs(count: int) -> Iterator[tuple[int, list[socket.socket], list[socket.socket]]]:
    """A port, and connections to it: the clients' ends and the servers'."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listener.getsockname()
        clients, accepted = [], []
        for _ in range(count):
            clients.append(stack.enter_context(socket.create_connection(address, timeout=60)))
            accepted.append(stack.enter_context(listener.accept()[0]))
        yield address[1], clients, accepted


def guard(port: int, **changes: object) -> ConnectionGuard:
    options = ServeOptions(port=port, **changes)  # type: ignore[arg-type]
    return ConnectionGuard(options, InFlight(options))


def test_the_connections_of_a_port_are_found_with_what_is_unsent() -> None:
    with pairs(2) as (port, clients, accepted):
        accepted[0].setblocking(False)
        with suppress(BlockingIOError):
            while True:
                accepted[0].send(b"x" * 100_000)
        found = {each.client: each for each in connections(port)}
        assert found.keys() == {client.getsockname() for client in clients}
        assert found[clients[0].getsockname()].unsent > 0
        assert found[clients[1].getsockname()].unsent == 0
        assert [*connections(1)] == []  # where nobody of this process is


def test_a_client_that_takes_no_answer_is_given_up_after_the_timeout() -> None:
    with pairs(2) as (port, clients, accepted):
        own = guard(port, timeout=5)
        accepted[0].setblocking(False)
        with suppress(BlockingIOError):
            while True:
                accepted[0].send(b"x" * 100_000)
        own.sweep(100.0, set())
        own.sweep(104.0, set())
        assert len([*connections(port)]) == 2
        own.sweep(106.0, set())
        assert accepted[0].recv(1) == b""
        clients[1].sendall(b"y")
        assert accepted[1].recv(1) == b"y"


def test_what_is_beyond_the_bound_is_shut_down_and_nothing_leaks() -> None:
    with pairs(20) as (port, clients, _):
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        clients[3].sendall(b"x")
        guard(port, address_connections=8).sweep(0.0, {clients[7].getsockname()})
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
        open_still = [client for client in clients if not ended(client)]
        assert len(open_still) == 8
        assert clients[7] in open_still


def ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_limit_of_files_is_raised_as_far_as_the_machine_allows() -> None:
    code = (
        "import resource; from pullrisk.serve.connections import raise_file_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200)); raise_file_limit(1_000);"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["200", "200"]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_file_limit(1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


# --- a service ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bounded(home: Path) -> Iterator[Served]:
    with served(
        home, connections=24, address_connections=16, probe_port=free_port(), body_timeout=60
    ) as one:
        yield one


def probe(one: Served, path: str) -> httpx.Response:
    port = one.settings["probe_port"]
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60)


@pytest.mark.parametrize(
    "sent", [b"", PREFACE[:10], b"GET / HTTP/1.1\r\n", b"\0", b"POST /v1/score HTTP/1.1\r\nHost:"]
)
def test_idle_connections_silence_neither_the_service_nor_its_probes(
    bounded: Served, sent: bytes
) -> None:
    with ExitStack() as stack:
        idle = []
        for _ in range(100):
            idle.append(stack.enter_context(socket.socket()))
            idle[-1].setblocking(False)
            with suppress(BlockingIOError):
                idle[-1].connect(("127.0.0.1", bounded.port))
        for one in idle:
            with suppress(OSError):
                one.send(sent)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert probe(bounded, path).status_code == 200
        assert httpx.get(f"{bounded.url}/v1/model", timeout=60).status_code == 200


def test_the_port_of_probes_answers_nothing_else(bounded: Served) -> None:
    for path in ("/", "/v1/model", "/docs", "/openapi.json", "/healthz/", "/v1/score"):
        assert probe(bounded, path).status_code == 404


def test_a_preface_of_http_2_is_refused_at_once(bounded: Served) -> None:
    for port in (bounded.port, bounded.settings["probe_port"]):
        with socket.create_connection(("127.0.0.1", int(str(port))), timeout=60) as one:
            one.sendall(PREFACE)
            assert one.recv(100) == b""


def test_a_taken_port_of_probes_is_named(home: Path, bounded: Served) -> None:
    with Served(home, probe_port=bounded.settings["probe_port"]) as one:
        assert one.process.wait(timeout=60) == 3
        assert "cannot listen at" in one.errors()


def test_connections_that_stay_silent_are_closed(home: Path) -> None:
    with served(home, body_timeout=1) as one, ExitStack() as stack:
        begun = [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: local"]
        begun.append(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for sent in begun:
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", one.port), timeout=60)
            )
            client.sendall(sent)
            with suppress(ConnectionResetError):
                while client.recv(10_000):
                    pass
        until(lambda: one.process.poll() is None)
