"""Ports for the servers of the tests."""

import os
import random
import socket
from collections import deque
from typing import Final

_MOST: Final = 64
_HELD: Final[deque[int]] = deque()
"""Sockets of UDP at the last ports that were given away: no other process of tests gets those."""


def free_port() -> int:
    """One below those that the system deals out: nobody gets it before, or while, a server is away.

    A program that can listen on port 0 and tell which it got needs no such port.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(20_000, 32_000)
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind(("127.0.0.1", port))
            with socket.socket() as trial:
                trial.bind(("127.0.0.1", port))
        except OSError:
            held.close()
        else:
            if len(_HELD) == _MOST:
                os.close(_HELD.popleft())
            _HELD.append(held.detach())
            return port


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
