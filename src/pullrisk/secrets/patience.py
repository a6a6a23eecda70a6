"""Waiting for a Vault that is away: longer each time, up to a limit."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from pullrisk.secrets.faults import VaultAwayError


@dataclass
class Backoff:
    """Seconds to wait after each failure: doubled, with a random part, up to the longest."""

    shortest: float = 0.25
    longest: float = 10.0
    failures: int = 0

    def next(self) -> float:
        """How long to wait now."""
        bare = min(self.longest, self.shortest * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return bare * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        """It worked: begin anew."""
        self.failures = 0


def patiently(
    work: Callable[[], None],
    *,
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Do the work, again and again while Vault is away, for so many seconds.

    Raises the last VaultAwayError when the time is up, and any other error at once.
    """
    backoff, end = Backoff(), clock() + seconds
    while True:
        try:
            work()
        except VaultAwayError as fault:
            wait = backoff.next()
            if clock() + wait > end:
                raise VaultAwayError(
                    f"{fault.args[0]}; gave up after {seconds:g} s and {backoff.failures} tries",
                    hint=fault.hint,
                ) from None
            sleep(wait)
        else:
            return
