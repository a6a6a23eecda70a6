"""How a stage gets its secrets: the port, and its implementation without a Vault."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.health import Health
from pullrisk.secrets.names import SECRETS, mask_credentials, needs_of

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

    def get(self, name: str) -> SecretStr:
        """The current value. Raises SecretsError if it is absent, or not declared by the stage."""

    def find(self, name: str) -> SecretStr | None:
        """The current value; None if it is absent. Raises SecretsError if not declared."""

    def snapshot(self) -> Snapshot:
        """All values of one moment."""

    def refresh(self) -> bool:
        """Read again now, after a service refused a value; returns True if a value changed."""

    def on_change(self, call: Listener) -> Callable[[], None]:
        """Call this after each change; returns a function that ends that."""

    def health(self) -> Health:
        """Age of the values and what was done to keep them fresh."""

    def close(self) -> None:
        """Revoke the token and end the renewal. The values can still be read."""


class HeldValues:
    """What every source of a stage's secrets holds: the last values, and who hears of changes."""

    def __init__(self, stage: str) -> None:
        self._stage, self._needs = stage, needs_of(stage)
        self._snapshot = Snapshot()
        self._listeners: list[Listener] = []

    def find(self, name: str) -> SecretStr | None:
        """The last value; None if it is absent. Raises SecretsError if it is not declared."""
        if name not in self._needs.names:
            raise undeclared(self._stage, name)
        return self._snapshot.values.get(name)

    def snapshot(self) -> Snapshot:
        """All values of one moment."""
        return self._snapshot

    def on_change(self, call: Listener) -> Callable[[], None]:
        """Call this after each change, in the thread that found it; returns what ends that."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None


class LocalSecrets(HeldValues):
    """A stage's secrets from the settings, or else from their usual environment variables."""

    def __init__(
        self,
        stage: str,
        given: Mapping[str, SecretStr],
        *,
        environment: Mapping[str, str] | None = None,
        redactor: Redactor = REDACTOR,
    ) -> None:
        super().__init__(stage)
        self._given, self._redactor = given, redactor
        self._environment = os.environ if environment is None else environment
        self.refresh()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._stage!r})"

    def get(self, name: str) -> SecretStr:
        """The value. Raises SecretsError that names the setting or variable to set."""
        value = self.find(name)
        if value is None:
            places = (SECRETS[name].variable, *SECRETS[name].variables)
            raise SecretsError(
                f"the secret {name} is not set ({SECRETS[name].sentence})",
                hint=f"set {' or '.join(places)}, or VAULT_ADDR to read it from Vault",
            )
        return value

    def refresh(self) -> bool:
        """Look at the environment again; returns True if a value changed."""
        values = {name: SecretStr(value) for name, value in self._look()}
        changed = self._snapshot.changed_names(values)
        if changed or not self._snapshot.version:
            mask_credentials(values, self._redactor)
            self._snapshot = Snapshot(values, self._snapshot.version + 1)
        if changed:
            for call in tuple(self._listeners):
                call(changed, self._snapshot)
        return bool(changed)

    def health(self) -> Health:
        """Local values do not age; the first read is not a change."""
        version = self._snapshot.version
        return Health("local", age=0.0, reads=version, changes=version - 1)

    def close(self) -> None:
        """Do nothing: there is no token and no thread."""

    def _look(self) -> Iterator[tuple[str, str]]:
        for name in self._needs.names:
            if name in self._given:
                yield name, self._given[name].get_secret_value()
                continue
            variables = (self._environment.get(each) for each in SECRETS[name].variables)
            value = next((each for each in variables if each), None)
            if value is not None:
                yield name, value


def undeclared(stage: str, name: str) -> SecretsError:
    """The error for a name that the stage does not declare."""
    return SecretsError(
        f"{stage} asked for the secret {name}, which it does not declare",
        hint="a stage's secrets are listed in STAGES of pullrisk.secrets.names",
    )
