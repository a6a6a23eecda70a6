"""Secrets from Vault: the last good values at once, kept fresh by a thread in the background."""

import logging
import random
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Final

from pydantic import SecretStr

from pullrisk.errors import PullriskError, SecretsError
from pullrisk.secrets.client import Backoff, VaultAwayError, retry_while_away
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.names import mask_credentials, needs_of
from pullrisk.secrets.session import VaultSession
from pullrisk.secrets.source import Health, HealthCounters, Listener, Snapshot

_LOG: Final = logging.getLogger(__name__)
_SHORTEST_WAIT: Final = 0.02


class VaultSecrets:
    """A stage's `Secrets` from Vault; `close` ends the thread and the token."""

    def __init__(self, config: VaultConfig, stage: str) -> None:
        self._config, self._stage, self._needs = config, stage, needs_of(stage)
        self._snapshot = Snapshot()
        self._listeners: list[Listener] = []
        self._session = VaultSession(config)
        self._counters = HealthCounters()
        # one thread at a time talks to Vault and tells of what changed; a listener may ask again
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pullrisk-secrets", daemon=True)
        self._read_due = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._stage!r}, {self._config.address!r})"

    def open(self) -> "VaultSecrets":
        """Log in and read; wait for a Vault that is away, for the configured time.

        Raises SecretsError when that time is over, and at once if waiting cannot help.
        """
        try:
            with self._lock:
                seconds = self._config.start_seconds
                retry_while_away(self._first_read, seconds=seconds)
        except PullriskError:
            self.close()
            raise
        self._thread.start()
        return self

    def snapshot(self) -> Snapshot:
        """The last good values of one moment."""
        return self._snapshot

    def on_change(self, call: Listener) -> None:
        """Call this after each change, in the thread that found it, and now if there was one.

        Values may have changed since whoever listens read them.
        """
        with self._lock:
            self._listeners.append(call)
            if self._snapshot.version > 1:
                self._tell(call, frozenset(self._snapshot.values))

    def refresh(self) -> bool:
        """Read again now; returns True if a value changed. Logs, not raises, if Vault is away.

        When it returns, all have been told of each change, whichever thread found it.
        """
        called = monotonic()
        with self._lock:
            if self._counters.read_at < called:  # else another thread has just read
                self._read_due = called
            return self._keep_fresh()

    def health(self) -> Health:
        """Age of the values, remaining life of the token, and what was done so far."""
        return self._counters.health(token_left=self._session.token_left())

    def close(self) -> None:
        """End the thread, and revoke the token if Vault can be reached."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=2 * self._config.timeout)
        try:
            with self._lock:
                self._session.close()
        except SecretsError as error:
            _LOG.info("the Vault token was not revoked, it expires by itself: %s", error.args[0])

    def _first_read(self) -> None:
        self._session.keep()
        self._counters.set_counts(logins=self._session.logins)
        self._read()

    def _run(self) -> None:
        backoff = Backoff(longest=min(30.0, self._config.reread))
        wait = self._seconds_until_due()
        while not self._stop.wait(wait):
            with self._lock:
                self._keep_fresh()
            wait = self._seconds_until_due()
            if self._counters.fault is None:
                backoff.reset()
            else:
                wait = min(backoff.next(), max(wait, backoff.shortest))

    def _seconds_until_due(self) -> float:
        return max(_SHORTEST_WAIT, min(self._read_due, self._session.due) - monotonic())

    def _keep_fresh(self) -> bool:
        """Renew and read if due, and tell of what changed; returns whether anything did.

        A failure is logged and tried again later; the last good values stay.
        """
        before = self._snapshot
        errors: list[SecretsError] = []
        for work in (self._session.keep, self._read_if_due):
            try:
                work()
            except SecretsError as error:
                errors.append(error)
                if isinstance(error, VaultAwayError):
                    break  # the other work would only wait for the same timeout
            except Exception:  # or the thread would end, and nothing be read any more
                _LOG.exception("a defect while secrets were kept fresh")
                errors.append(SecretsError("a defect of pullrisk, see the log"))
        self._counters.set_counts(logins=self._session.logins, renewals=self._session.renewals)
        self._counters.record(errors[0] if errors else None)
        changed = before.changed_names(self._snapshot.values)
        if changed:
            _LOG.info("new values of %s are in use", ", ".join(sorted(changed)))
        for call in tuple(self._listeners) if changed else ():
            self._tell(call, changed)
        return bool(changed)

    def _read_if_due(self) -> None:
        if monotonic() >= self._read_due:
            self._read()

    def _read(self) -> None:
        values = self._session.read()
        missing = self._needs.missing(values)
        if missing:
            where = f"{self._config.mount}/{self._config.path}"
            raise SecretsError(
                f"{where} lacks {', '.join(missing)}, which {self._stage} needs",
                hint=f"add it: bao kv patch {where} {missing[0]}=-",
            )
        self._accept({name: values[name] for name in self._needs.names if name in values})

    def _accept(self, values: Mapping[str, SecretStr]) -> None:
        if values != self._snapshot.values:
            mask_credentials(values)
            self._snapshot = Snapshot(values, self._snapshot.version + 1)
            # The first read is not a change.
            self._counters.set_counts(changes=self._snapshot.version - 1)
        # The random part keeps pods that started together from always reading together.
        self._read_due = monotonic() + self._config.reread * random.uniform(0.9, 1.0)
        self._counters.count_read()

    def _tell(self, call: Listener, changed: frozenset[str]) -> None:
        try:
            call(changed, self._snapshot)
        except Exception:
            _LOG.exception("a listener failed to take new secrets")
