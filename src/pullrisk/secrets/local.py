"""Secrets without Vault: from the settings or from the environment, never inside Kubernetes."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.learning import learn
from pullrisk.secrets.names import SECRETS, Needs, needs_of
from pullrisk.secrets.port import Changed, Health, Snapshot, undeclared

IN_KUBERNETES: Final = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets this variable in every container."""


class LocalSecrets:
    """A stage's secrets that the settings gave, else from their usual environment variables."""

    def __init__(
        self,
        stage: str,
        given: Mapping[str, SecretStr],
        *,
        environment: Mapping[str, str] | None = None,
        redactor: Redactor = REDACTOR,
    ) -> None:
        self._stage, self._given, self._redactor = stage, given, redactor
        self._needs: Needs = needs_of(stage)
        self._environment = os.environ if environment is None else environment
        self._snapshot = Snapshot()
        self._calls: list[Changed] = []
        self._read_at = 0.0
        self._changes = -1  # the first read is no change
        self.refresh()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._stage!r})"

    def get(self, name: str) -> SecretStr:
        """The value. Raises SecretsError that says which setting or variable would hold it."""
        found = self.find(name)
        if found is None:
            places = (SECRETS[name].variable, *SECRETS[name].variables)
            raise SecretsError(
                f"the secret {name} is not set ({SECRETS[name].sentence})",
                hint=f"set {' or '.join(places)}, or VAULT_ADDR to read it from Vault",
            )
        return found

    def find(self, name: str) -> SecretStr | None:
        """The value, None where it is absent."""
        if name not in self._needs.names:
            raise undeclared(self._stage, name)
        return self._snapshot.values.get(name)

    def snapshot(self) -> Snapshot:
        """All values of one moment."""
        return self._snapshot

    def refresh(self) -> bool:
        """Look at the environment again."""
        values = {name: SecretStr(value) for name, value in self._look()}
        self._read_at = time.monotonic()
        before = self._snapshot.values
        changed = frozenset(n for n in {*before, *values} if before.get(n) != values.get(n))
        if changed or not self._snapshot.version:
            learn(values, self._redactor)
            self._snapshot = Snapshot(values, self._snapshot.version + 1)
            self._changes += 1
        if changed:
            for call in tuple(self._calls):
                call(changed, self._snapshot)
        return bool(changed)

    def on_change(self, call: Changed) -> Callable[[], None]:
        """Call this when `refresh` finds a change."""
        self._calls.append(call)
        return lambda: self._calls.remove(call) if call in self._calls else None

    def health(self) -> Health:
        """Local values do not age."""
        return Health("local", age=0.0, reads=self._snapshot.version, changes=self._changes)

    def close(self) -> None:
        """Nothing to end."""

    def _look(self) -> Iterator[tuple[str, str]]:
        for name in self._needs.names:
            if name in self._given:
                yield name, self._given[name].get_secret_value()
                continue
            usual = (self._environment.get(each) for each in SECRETS[name].variables)
            value = next((each for each in usual if each), None)
            if value is not None:
                yield name, value
