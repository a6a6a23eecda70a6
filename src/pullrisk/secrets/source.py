"""How a stage gets its secrets: the port, its local implementation, and the choice of a source."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import SecretStr

from pullrisk.errors import SecretsError, SettingsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.health import Health
from pullrisk.secrets.names import SECRETS, is_credential, mask_credentials, needs_of

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


class LocalSecrets:
    """A stage's secrets from the settings, or else from their usual environment variables."""

    def __init__(
        self,
        stage: str,
        given: Mapping[str, SecretStr],
        *,
        environment: Mapping[str, str] | None = None,
        redactor: Redactor = REDACTOR,
    ) -> None:
        self._stage, self._given, self._redactor = stage, given, redactor
        self._needs = needs_of(stage)
        self._environment = os.environ if environment is None else environment
        self._snapshot = Snapshot()
        self._listeners: list[Listener] = []
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

    def find(self, name: str) -> SecretStr | None:
        """The value; None if it is absent."""
        if name not in self._needs.names:
            raise undeclared(self._stage, name)
        return self._snapshot.values.get(name)

    def snapshot(self) -> Snapshot:
        """All values of one moment."""
        return self._snapshot

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

    def on_change(self, call: Listener) -> Callable[[], None]:
        """Call this when `refresh` finds a change."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

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


def open_secrets(
    stage: str,
    given: Mapping[str, SecretStr] | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
    redactor: Redactor = REDACTOR,
) -> Secrets:
    """The secrets of a stage; close them when done.

    They come from Vault if VAULT_ADDR is set, and then from nowhere else. Otherwise from
    `given`, which the settings hold, and the usual variables; inside Kubernetes only if
    `allow_local`. Raises SettingsError, SecretsError, and MissingExtraError without the extra
    `vault`.
    """
    environment = os.environ if environment is None else environment
    config = vault_config(environment, stage)
    if config is not None:
        _refuse_both(given or {})
        from pullrisk.secrets.vault import VaultSecrets

        return VaultSecrets(config, stage, redactor=redactor).open()
    if environment.get(IN_KUBERNETES) and not allow_local:
        raise SettingsError(
            "this runs inside Kubernetes and VAULT_ADDR is not set",
            hint="set VAULT_ADDR, or PULLRISK_ALLOW_LOCAL_SECRETS=true to take secrets from "
            "the settings and the environment",
        )
    return LocalSecrets(stage, given or {}, environment=environment, redactor=redactor)


def undeclared(stage: str, name: str) -> SecretsError:
    """The error for a name that the stage does not declare."""
    return SecretsError(
        f"{stage} asked for the secret {name}, which it does not declare",
        hint="a stage's secrets are listed in STAGES of pullrisk.secrets.names",
    )


def _refuse_both(given: Mapping[str, SecretStr]) -> None:
    """Raise SettingsError for a credential in the settings beside Vault: one copy too many."""
    names = [name for name, value in given.items() if is_credential(name, value)]
    if names:
        settings = ", ".join(SECRETS[name].variable for name in names)
        raise SettingsError(
            f"VAULT_ADDR is set, and the settings hold credentials too: {', '.join(names)}",
            hint=f"remove {settings}; with Vault, secrets come from nowhere else",
        )
