"""Keeps the connections of a worker within bounds; the server itself has no such bounds.

granian ends a connection that sends no whole head within `body_timeout`, idle ones included, and
accepts no more once it has its fill. What it lacks is fairness among addresses, and an end for
clients that do not take their answers. So all connections of the port are looked at a few times a
second, through duplicates of their file descriptors, and those that are too many or too slow are
shut down: the server sees their end as if the client had gone. Linux only; elsewhere nothing is
done.
"""

import asyncio
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Iterator, Set
from contextlib import closing, suppress
from fcntl import ioctl
from ipaddress import IPv6Address
from itertools import groupby
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from termios import TIOCOUTQ
from time import monotonic
from typing import Final, TypeAlias

import msgspec
from granian.http import HTTP1Settings

from pullrisk.options import ServeOptions
from pullrisk.serve.inflight import InFlight

_EVERY: Final = 0.25
_LEISURELY: Final = 2.0
"""Seconds between looks while there are too few connections to be beyond a bound."""
_OTHER_FILES: Final = 512
"""File descriptors for all but connections: the lake, the store, libraries."""
_LAST_RECEIVED: Final = struct.Struct("=52xI")
"""`tcpi_last_data_recv` of the kernel's `struct tcp_info`: milliseconds."""
_HEAD_BYTES: Final = 65_536
Client: TypeAlias = tuple[str, int]


def http1_settings(options: ServeOptions) -> HTTP1Settings:
    """How every port speaks: a head has to come whole in `body_timeout`, idle time included."""
    return HTTP1Settings(
        header_read_timeout=int(options.body_timeout * 1_000), max_buffer_size=_HEAD_BYTES
    )


class Connection(msgspec.Struct, frozen=True):
    """One accepted connection; `unsent` are bytes that the client has not taken yet.

    `inode` tells it from others for as long as it lives, `idle` is in milliseconds.
    """

    inode: int
    client: Client
    address: str
    idle: int
    unsent: int


class ConnectionGuard:
    """Shuts down connections beyond the bounds of the options, and those that take no answer."""

    def __init__(self, options: ServeOptions, in_flight: InFlight) -> None:
        self._options, self._in_flight = options, in_flight
        self._unsent_since: dict[int, float] = {}

    async def watch(self) -> None:
        """Look at all connections, for ever."""
        if not sys.platform.startswith("linux"):
            return
        raise_file_limit(2 * self._options.connections + _OTHER_FILES)
        swept_at = 0.0
        while True:
            await asyncio.sleep(_EVERY)
            now = monotonic()
            is_quiet = len(_file_numbers()) < self._options.address_connections
            if is_quiet and now - swept_at < _LEISURELY:
                continue
            swept_at = now
            await asyncio.to_thread(self.sweep, now, self._in_flight.clients())

    def sweep(self, now: float, waiting: Set[Client]) -> None:
        """Shut down what is beyond the bounds at this moment (monotonic seconds).

        `waiting` are the clients whose requests are under way.
        """
        open_connections = [*connections(self._options.port)]
        ended = self._too_slow(open_connections, now) | too_many(
            open_connections,
            waiting=waiting,
            most=self._options.connections,
            of_address=self._options.address_connections,
        )
        if ended:
            shut_down(self._options.port, ended)

    def _too_slow(self, open_connections: Iterable[Connection], now: float) -> set[int]:
        """Those that have had something to take for `timeout` seconds without a pause."""
        before = self._unsent_since
        self._unsent_since = {
            each.inode: before.get(each.inode, now) for each in open_connections if each.unsent
        }
        since = self._unsent_since.items()
        return {inode for inode, began in since if now - began > self._options.timeout}


def too_many(
    open_connections: Iterable[Connection], *, waiting: Set[Client], most: int, of_address: int
) -> set[int]:
    """The connections to give up: of each address and of all, those idle longest.

    Who waits for an answer goes last. Beyond `most`, whoever has the most connections loses first.
    """

    def order(connection: Connection) -> tuple[str, bool, int]:
        return connection.address, connection.client not in waiting, connection.idle

    allowed: list[tuple[int, Connection]] = []
    ended: set[int] = set()
    for _, of_one_address in groupby(
        sorted(open_connections, key=order), lambda connection: connection.address
    ):
        for place, connection in enumerate(of_one_address):
            if place < of_address:
                allowed.append((place, connection))
            else:
                ended.add(connection.inode)
    allowed.sort(key=lambda ranked: ranked[0])
    return ended | {connection.inode for _, connection in allowed[most:]}


def connections(port: int) -> Iterator[Connection]:
    """The accepted connections of this process at a local port."""
    for duplicate in _sockets():
        with closing(duplicate), suppress(OSError, struct.error):
            connection = _described(duplicate, port)
            if connection is not None:
                yield connection


def shut_down(port: int, inodes: Set[int]) -> None:
    """End these connections both ways."""
    for duplicate in _sockets():
        with closing(duplicate), suppress(OSError, struct.error):
            connection = _described(duplicate, port)
            if connection is not None and connection.inode in inodes:
                duplicate.shutdown(socket.SHUT_RDWR)


def raise_file_limit(least: int) -> None:
    """Let this process open so many files, as far as the machine allows."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft < least:
        setrlimit(RLIMIT_NOFILE, (min(least, hard), hard))


def _sockets() -> Iterator[socket.socket]:
    """A duplicate of every socket of this process; closing it leaves the original open."""
    for number in _file_numbers():
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                # with a family, or Python asks the kernel for three things that nobody needs
                yield socket.socket(socket.AF_INET6, socket.SOCK_STREAM, fileno=os.dup(number))


def _file_numbers() -> list[int]:
    """The file descriptors of this process, and that of the look itself."""
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  (many, and often)


def _described(duplicate: socket.socket, port: int) -> Connection | None:
    """What the kernel knows of an accepted connection; None for any other socket."""
    local = duplicate.getsockname()
    if not isinstance(local, tuple) or local[1] != port:  # a text is a Unix socket's
        return None
    host, client_port = duplicate.getpeername()[:2]  # OSError where it only listens
    information = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_RECEIVED.size)
    (idle,) = _LAST_RECEIVED.unpack(information)
    (unsent,) = struct.unpack("i", ioctl(duplicate, TIOCOUTQ, b"\0" * 4))
    inode = os.fstat(duplicate.fileno()).st_ino
    return Connection(inode, (host, client_port), network(host), idle, unsent)


def network(host: str) -> str:
    """The address that counts as one client: of IPv6 the first 64 bits, which one host may own."""
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else address.exploded[:19]
