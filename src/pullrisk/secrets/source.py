"""A stage's secrets that are kept fresh: what their users see of them, and how fresh they are."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

from pydantic import SecretStr

from pullrisk.errors import SecretsError

_LOG: Final = logging.getLogger("pullrisk.secrets")
REMIND_EVERY: Final = 60.0
"""Seconds between two log lines about the same outage."""
IN_KUBERNETES: Final = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets this variable in every container."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Values read at one moment, so that a user and its password belong together."""

    values: Mapping[str, SecretStr] = field(default_factory=dict)
    version: int = 0

    def changed_names(self, values: Mapping[str, SecretStr]) -> frozenset[str]:
        """The names whose values differ in `values`, or are only in one of both."""
        names = {*self.values, *values}
        return frozenset(n for n in names if self.values.get(n) != values.get(n))


Listener = Callable[[frozenset[str], Snapshot], None]
"""Called with the names whose values changed, and the snapshot that is now in force."""


@dataclass(frozen=True, slots=True)
class Health:
    """State of a stage's secrets. Ages are in seconds; counts are since they were opened."""

    age: float
    """Since the last successful read; grows while Vault is away and the last good values serve."""
    token_left: float | None = None
    """Until the token expires; None without a token."""
    reads: int = 0
    failures: int = 0
    logins: int = 0
    renewals: int = 0
    changes: int = 0
    fault: str | None = None
    """What is wrong now; None if nothing is."""

    def metrics(self) -> dict[str, float]:
        """The figures by the names of their Prometheus metrics, without those that are None."""
        figures = {
            "pullrisk_secrets_age_seconds": self.age,
            "pullrisk_secrets_healthy": float(self.fault is None),
            "pullrisk_secrets_reads_total": float(self.reads),
            "pullrisk_secrets_failures_total": float(self.failures),
            "pullrisk_secrets_logins_total": float(self.logins),
            "pullrisk_secrets_renewals_total": float(self.renewals),
            "pullrisk_secrets_changes_total": float(self.changes),
        }
        if self.token_left is not None:
            figures["pullrisk_secrets_token_left_seconds"] = self.token_left
        return figures


class Secrets(Protocol):
    """A stage's secrets. Reading a value never waits for a network."""

    def snapshot(self) -> Snapshot:
        """All values of one moment."""

    def refresh(self) -> bool:
        """Read again now, after a service refused a value; returns True if a value changed.

        When it returns, all have been told of each change, whichever thread found it.
        """

    def on_change(self, call: Listener) -> None:
        """Call this after each change, in the thread that found it, and now if there was one."""

    def health(self) -> Health:
        """Age of the values and what was done to keep them fresh."""

    def close(self) -> None:
        """Revoke the token and end the renewal. The values can still be read."""


class HealthCounters:
    """Counts what is done to keep a stage's secrets fresh, and logs outages."""

    def __init__(self) -> None:
        self.read_at = monotonic()
        self._logged_at = float("-inf")
        self._counts = {"reads": 0, "failures": 0, "logins": 0, "renewals": 0, "changes": 0}
        self.fault: str | None = None

    @property
    def age(self) -> float:
        """Seconds since the last successful read."""
        return monotonic() - self.read_at

    def set_counts(self, **counts: int) -> None:
        """Take over counts that are kept elsewhere."""
        self._counts |= counts

    def count_read(self) -> None:
        """Record a successful read."""
        self.read_at = monotonic()
        self._counts["reads"] += 1

    def record(self, error: SecretsError | None) -> None:
        """Record how the work that was due went; log when an outage begins, goes on and ends."""
        if error is None:
            if self.fault is not None:
                _LOG.warning("Vault serves again; secrets are fresh")
            self.fault, self._logged_at = None, float("-inf")
            return
        self._counts["failures"] += 1
        self.fault = str(error.args[0])
        if monotonic() - self._logged_at >= REMIND_EVERY:
            self._logged_at = monotonic()
            _LOG.warning(
                "secrets are not fresh: %s; the last good values, %.0f s old, stay in use",
                self.fault,
                self.age,
            )

    def health(self, *, token_left: float | None) -> Health:
        """The state now."""
        return Health(age=self.age, token_left=token_left, fault=self.fault, **self._counts)
