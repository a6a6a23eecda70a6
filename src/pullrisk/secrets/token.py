"""The stage's token: renewed while that helps, obtained anew when it no longer does."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pullrisk.errors import SecretsError
from pullrisk.secrets.connection import Connection
from pullrisk.secrets.faults import DeniedError
from pullrisk.secrets.lease import Lease

T = TypeVar("T")


class Token:
    """Keeps one connection logged in."""

    def __init__(self, connection: Connection, clock: Callable[[], float]) -> None:
        self._connection, self._clock = connection, clock
        self._lease: Lease | None = None
        self.logins = 0
        self.renewals = 0

    @property
    def due(self) -> float:
        """When to see to it."""
        return 0.0 if self._lease is None else self._lease.due

    def left(self) -> float | None:
        """Seconds until it ends, None without one."""
        return None if self._lease is None else self._lease.left(self._clock())

    def keep(self) -> None:
        """Renew if it is time, log in anew where renewing does not help. Raises SecretsError."""
        lease = self._lease
        if lease is None or (self._clock() >= lease.due and not lease.renewable):
            self.login()
        elif self._clock() >= lease.due:
            self._renew(lease)

    def login(self) -> None:
        """Obtain a new token; the earlier one ends by itself, with what hangs on it."""
        self._lease = self._connection.login()
        self.logins += 1

    def with_login(self, work: Callable[[], T]) -> T:
        """Do the work; if the token is refused, once more with a new one."""
        try:
            return work()
        except DeniedError:
            self._replace()
            return work()

    def revoke(self) -> None:
        """Give it back."""
        if self._lease is not None:
            self._lease = None
            self._connection.revoke(self._connection.token)

    def _replace(self) -> None:
        """Log in anew; a token that is good but allows too little is given back."""
        before = self._connection.token
        self.login()
        with suppress(SecretsError):
            self._connection.revoke(before)

    def _renew(self, lease: Lease) -> None:
        try:
            renewed = self._connection.renew(lease)
        except SecretsError:
            # Past the maximum Vault answers 500, as when it is ill: a login tells which it is.
            self.login()
            return
        self._lease = renewed
        self.renewals += 1
        if renewed.at_maximum:
            self.login()
