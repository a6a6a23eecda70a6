"""What was done to keep secrets fresh: counted, and logged when an outage begins and ends."""

import logging
from collections.abc import Callable
from typing import Final

from pullrisk.errors import SecretsError
from pullrisk.secrets.port import Health

_LOG: Final = logging.getLogger("pullrisk.secrets")
REMIND_EVERY: Final = 60.0
"""Seconds between two lines about the same outage."""


class Tally:
    """Counts and ages of one source."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.read_at = clock()
        self._told = float("-inf")
        self._counts = {"reads": 0, "failures": 0, "logins": 0, "renewals": 0, "changes": 0}
        self.fault: str | None = None

    @property
    def age(self) -> float:
        """Seconds since the last good read."""
        return self._clock() - self.read_at

    def count(self, **counts: int) -> None:
        """Take over counts that others keep."""
        self._counts |= counts

    def read(self) -> None:
        """A read was good."""
        self.read_at = self._clock()
        self._counts["reads"] += 1

    def changed(self, version: int) -> None:
        """The values are of this version now; the first is no change."""
        self._counts["changes"] = version - 1

    def outcome(self, fault: SecretsError | None) -> None:
        """How the work that was due went; an outage is logged when it begins, goes on, ends."""
        if fault is None:
            if self.fault is not None:
                _LOG.warning("Vault serves again; secrets are fresh")
            self.fault, self._told = None, float("-inf")
            return
        self._counts["failures"] += 1
        self.fault = str(fault.args[0])
        if self._clock() - self._told >= REMIND_EVERY:
            self._told = self._clock()
            _LOG.warning(
                "secrets are not fresh: %s; the last good values, %.0f s old, stay in use",
                self.fault,
                self.age,
            )

    def health(self, *, token_left: float | None) -> Health:
        """All of it."""
        return Health(
            "vault", age=self.age, token_left=token_left, fault=self.fault, **self._counts
        )
