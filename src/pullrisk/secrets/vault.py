"""Secrets from Vault: the last good values at once, kept fresh by a thread in the background."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.connection import Connection
from pullrisk.secrets.database import DatabaseUser
from pullrisk.secrets.faults import VaultAwayError
from pullrisk.secrets.learning import learn
from pullrisk.secrets.names import needs_of
from pullrisk.secrets.patience import Backoff, patiently
from pullrisk.secrets.port import Changed, Health, Snapshot, undeclared
from pullrisk.secrets.tally import Tally
from pullrisk.secrets.token import Token

_LOG: Final = logging.getLogger(__name__)
_SHORTEST_WAIT: Final = 0.02


class VaultSecrets:
    """A stage's secrets from Vault. `get` never waits; `close` ends the thread and the token."""

    def __init__(
        self,
        config: VaultConfig,
        stage: str,
        *,
        redactor: Redactor = REDACTOR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._stage = config, stage
        self._needs, self._redactor, self._clock = needs_of(stage), redactor, clock
        self._connection = Connection(config, clock=clock)
        self._token = Token(self._connection, clock)
        self._database = DatabaseUser(self._connection, clock) if config.database_path else None
        self._snapshot = Snapshot()
        self._tally = Tally(clock)
        self._calls: list[Changed] = []
        self._work = threading.Lock()  # one talks to Vault at a time
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pullrisk-secrets", daemon=True)
        self._read_due = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._stage!r}, {self._config.address!r})"

    def open(self) -> "VaultSecrets":
        """Log in and read, waiting for a Vault that is away up to the configured patience.

        Raises SecretsError when the patience ends, and at once for what waiting cannot mend.
        """
        try:
            with self._work:
                patiently(self._first, seconds=self._config.patience, clock=self._clock)
        except SecretsError:
            self.close()
            raise
        self._thread.start()
        return self

    def get(self, name: str) -> SecretStr:
        """The last good value. Raises SecretsError if it is absent or not this stage's."""
        found = self.find(name)
        if found is None:
            where = f"{self._config.mount}/{self._config.path}"
            raise SecretsError(
                f"{where} has no {name}", hint=f"add it: bao kv patch {where} {name}=-"
            )
        return found

    def find(self, name: str) -> SecretStr | None:
        """The last good value, None where it is absent."""
        if name not in self._needs.names:
            raise undeclared(self._stage, name)
        return self._snapshot.values.get(name)

    def snapshot(self) -> Snapshot:
        """All values of one moment."""
        return self._snapshot

    def refresh(self) -> bool:
        """Read again now; True if a value changed. Vault's absence is logged, not raised."""
        called = self._clock()
        with self._work:
            if self._tally.read_at < called:  # else another thread has just done it
                self._read_due = called
            changes = self._keep()
        self._tell(changes)
        return bool(changes)

    def on_change(self, call: Changed) -> Callable[[], None]:
        """Call this after each change, from the background thread; returns what ends that."""
        self._calls.append(call)
        return lambda: self._calls.remove(call) if call in self._calls else None

    def health(self) -> Health:
        """Age of the values, what is left of the token, and what was done so far."""
        return self._tally.health(token_left=self._token.left())

    def close(self) -> None:
        """End the thread and give the token back if Vault is there."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=2 * self._config.timeout)
        try:
            with self._work:
                self._token.revoke()
        except SecretsError as fault:
            _LOG.info("the Vault token was not given back, it ends by itself: %s", fault.args[0])

    def _first(self) -> None:
        self._token.keep()
        self._tally.count(logins=self._token.logins)
        self._read()

    def _run(self) -> None:
        backoff = Backoff(longest=min(30.0, self._config.reread))
        wait = self._wait()
        while not self._stop.wait(wait):
            with self._work:
                changes = self._keep()
            self._tell(changes)
            if self._tally.fault is None:
                backoff.reset()
                wait = self._wait()
            else:
                wait = min(backoff.next(), max(self._wait(), backoff.shortest))

    def _wait(self) -> float:
        due = [self._read_due, self._token.due]
        if self._database is not None:
            due.append(self._database.due)
        return max(_SHORTEST_WAIT, min(due) - self._clock())

    def _keep(self) -> frozenset[str]:
        """Do what is due. What fails is logged and tried again; the last good values stay."""
        before = self._snapshot
        faults: list[SecretsError] = []
        for job in (self._token.keep, self._read_if_due):
            try:
                job()
            except SecretsError as fault:
                faults.append(fault)
                if isinstance(fault, VaultAwayError):
                    break  # the other job would only wait for the same timeout
        self._tally.count(logins=self._token.logins, renewals=self._token.renewals)
        self._tally.outcome(faults[0] if faults else None)
        if self._snapshot is before:
            return frozenset()
        return _changed(before.values, self._snapshot.values)

    def _read_if_due(self) -> None:
        due = self._clock() >= self._read_due
        if self._database is not None:
            due = due or self._database.is_due(token=self._token.logins)
        if due:
            self._read()

    def _read(self) -> None:
        values = self._token.with_login(self._connection.read)
        missing = self._needs.missing(values)
        if missing:
            where = f"{self._config.mount}/{self._config.path}"
            raise SecretsError(
                f"{where} lacks {', '.join(missing)}, which {self._stage} needs",
                hint=f"add it: bao kv patch {where} {missing[0]}=-",
            )
        database = self._database
        if database is not None:
            bare = values
            values = self._token.with_login(lambda: database.into(bare, self._token.logins))
        self._accept({name: values[name] for name in self._needs.names if name in values})

    def _accept(self, values: Mapping[str, SecretStr]) -> None:
        if values != self._snapshot.values:
            learn(values, self._redactor)
            self._snapshot = Snapshot(values, self._snapshot.version + 1)
            self._tally.changed(self._snapshot.version)
        # Pods that started together do not ask together for ever.
        self._read_due = self._clock() + self._config.reread * random.uniform(0.9, 1.0)
        self._tally.read()

    def _tell(self, changes: frozenset[str]) -> None:
        if not changes:
            return
        _LOG.info("new values of %s are in use", ", ".join(sorted(changes)))
        for call in tuple(self._calls):
            try:
                call(changes, self._snapshot)
            except Exception:
                _LOG.exception("a listener failed to take new secrets")


def _changed(before: Mapping[str, SecretStr], after: Mapping[str, SecretStr]) -> frozenset[str]:
    return frozenset(n for n in {*before, *after} if before.get(n) != after.get(n))
