"""A stage's secrets that are kept fresh: what their users see of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import SecretStr

from pullrisk.secrets.health import Health

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


class Secrets(Protocol):
    """A stage's secrets. Reading a value never waits for a network."""

    def snapshot(self) -> Snapshot:
        """All values of one moment."""

    def refresh(self) -> bool:
        """Read again now, after a service refused a value; returns True if a value changed."""

    def on_change(self, call: Listener) -> None:
        """Call this after each change, in the thread that found it."""

    def health(self) -> Health:
        """Age of the values and what was done to keep them fresh."""

    def close(self) -> None:
        """Revoke the token and end the renewal. The values can still be read."""
