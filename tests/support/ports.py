"""Free ports for the servers of the tests."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """One that the system deals out; another program may be dealt it once it is let go."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def lasting_port() -> int:
    """One below those that the system deals out: nobody gets it while a server is away."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
