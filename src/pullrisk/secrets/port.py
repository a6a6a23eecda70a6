"""The port: how a stage asks for a secret, hears of a new one, and tells how old its values are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from pullrisk.errors import SecretsError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Values read at one moment, so that a user and its password belong together."""

    values: Mapping[str, SecretStr] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """How a source does. Ages are seconds; counts are since the source was opened."""

    source: str
    age: float
    """Since the last good read; grows while Vault is away and the last good values serve."""
    token_left: float | None = None
    """Until the token ends; None without a token."""
    reads: int = 0
    failures: int = 0
    logins: int = 0
    renewals: int = 0
    changes: int = 0
    fault: str | None = None
    """What is wrong now, None while all is well."""

    def metrics(self) -> dict[str, float]:
        """The figures under the names that Prometheus gets, where there is a figure."""
        found = {
            "pullrisk_secrets_age_seconds": self.age,
            "pullrisk_secrets_healthy": float(self.fault is None),
            "pullrisk_secrets_reads_total": float(self.reads),
            "pullrisk_secrets_failures_total": float(self.failures),
            "pullrisk_secrets_logins_total": float(self.logins),
            "pullrisk_secrets_renewals_total": float(self.renewals),
            "pullrisk_secrets_changes_total": float(self.changes),
        }
        if self.token_left is not None:
            found["pullrisk_secrets_token_left_seconds"] = self.token_left
        return found


Changed = Callable[[frozenset[str], Snapshot], None]
"""Called with the names whose values changed and the snapshot that now holds."""


class Secrets(Protocol):
    """Where a stage's secrets come from. Reading never waits for a network."""

    def get(self, name: str) -> SecretStr:
        """The value now. Raises SecretsError if it is absent or not this stage's to read."""

    def find(self, name: str) -> SecretStr | None:
        """The value now, None where it is absent. Raises SecretsError if not this stage's."""

    def snapshot(self) -> Snapshot:
        """All values of one moment."""

    def refresh(self) -> bool:
        """Read again now, after a service refused a value; True if a value changed."""

    def on_change(self, call: Changed) -> Callable[[], None]:
        """Call this after each change; returns what ends that."""

    def health(self) -> Health:
        """Age of the values and what was done to keep them fresh."""

    def close(self) -> None:
        """Give back the token, end the renewal. The values are still there."""


def reveal(secrets: Secrets, name: str) -> str | None:
    """The bare value, for the one line that hands it to a client library."""
    found = secrets.find(name)
    return None if found is None else found.get_secret_value()


def several(value: SecretStr) -> tuple[str, ...]:
    """The values of a secret that holds several: one a line, or with commas between."""
    return tuple(value.get_secret_value().replace(",", " ").split())


def undeclared(stage: str, name: str) -> SecretsError:
    """The error for a name that the stage does not declare."""
    return SecretsError(
        f"{stage} asked for the secret {name}, which it does not declare",
        hint="a stage's secrets are listed in STAGES of pullrisk.secrets.names",
    )
