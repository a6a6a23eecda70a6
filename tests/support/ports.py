"""Ports for the servers of the tests."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """One below those that the system deals out: nobody gets it before, or while, a server is away.

    A program that can listen on port 0 and tell which it got needs no such port.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
