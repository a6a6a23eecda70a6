"""One stage's session at Vault: logs in, keeps its token valid, reads with it, gives it back."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.auth import JwtAuth
from pullrisk.secrets.client import DeniedError, open_client, translate_errors
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.kv import read_secret

RENEW_AT: Final = 2 / 3
"""Share of its life after which a token is renewed: the rest is for a Vault that is away."""


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a token is valid: `seconds` from `start`; one of 0 seconds never expires."""

    seconds: float
    start: float
    renewable: bool
    full: float
    """Seconds that were granted at first; a renewal that grants much less is at the maximum."""

    @property
    def due(self) -> float:
        """When to renew."""
        return self.start + self.seconds * RENEW_AT if self.seconds else float("inf")

    def left(self, now: float) -> float:
        """Seconds until it expires, at least 0."""
        return max(0.0, self.start + self.seconds - now) if self.seconds else float("inf")

    @property
    def at_maximum(self) -> bool:
        """Whether renewing no longer grants a full term."""
        return self.seconds < self.full * RENEW_AT


class VaultSession:
    """hvac's client with the stage's token. Not to be shared by threads."""

    def __init__(self, config: VaultConfig) -> None:
        self._config, self._auth = config, JwtAuth(config)
        self._lease: Lease | None = None
        self.logins = 0
        self.renewals = 0
        # An empty token: hvac would otherwise take VAULT_TOKEN or the one in the home folder.
        self._client = open_client(config, "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._config.address!r}, role={self._config.role!r})"

    @property
    def due(self) -> float:
        """When `keep` has something to do, on the monotonic clock."""
        return 0.0 if self._lease is None else self._lease.due

    def token_left(self) -> float | None:
        """Seconds until the token expires; None without a token."""
        return None if self._lease is None else self._lease.left(monotonic())

    def login(self) -> None:
        """Obtain a new token; an earlier one expires by itself.

        Raises SecretsError, VaultAwayError, DeniedError.
        """
        config = self._config
        action = f"log in as {config.role} at auth/{config.auth_mount}"
        with self._translate_errors(action, hint=self._auth.hint):
            answer = self._auth.login(self._client)["auth"]
            token, seconds = str(answer["client_token"]), float(answer["lease_duration"])
        REDACTOR.learn(token)
        self._client.token = token
        renewable = bool(answer["renewable"])
        self._lease = Lease(seconds, monotonic(), renewable=renewable, full=seconds)
        self.logins += 1

    def keep(self) -> None:
        """Renew the token if that is due, log in if renewing does not help. Raises SecretsError."""
        lease = self._lease
        if lease is None or (monotonic() >= lease.due and not lease.renewable):
            self.login()
        elif monotonic() >= lease.due:
            self._renew(lease)

    def read(self) -> dict[str, SecretStr]:
        """Every key of the stage's path; logs in once more if the token is refused.

        Raises SecretsError, VaultAwayError, DeniedError.
        """
        try:
            return read_secret(self._client, self._config)
        except DeniedError:
            self._replace_token()
            return read_secret(self._client, self._config)

    def readable(self, paths: Iterable[str]) -> dict[str, bool]:
        """Whether the token's policies allow to read each of these paths."""
        path_list = list(paths)
        with self._translate_errors("look up the token's capabilities"):
            answer = self._client.sys.get_capabilities(path_list)["data"]
        return {path: not {"read", "root"}.isdisjoint(answer[path]) for path in path_list}

    def close(self) -> None:
        """Revoke the token and close the connection. Raises SecretsError if Vault is away."""
        try:
            if self._lease is not None:
                self._lease = None
                self._revoke(self._client.token)
        finally:
            self._client.adapter.close()

    def _renew(self, lease: Lease) -> None:
        try:
            with self._translate_errors("renew the token"):
                increment = f"{int(lease.full)}s"
                answer = self._client.auth.token.renew_self(increment=increment)
                seconds = float(answer["auth"]["lease_duration"])
        except SecretsError:
            # Past its maximum Vault answers 500, as it does when it is ill: a login tells which.
            self.login()
            return
        self._lease = Lease(seconds, monotonic(), renewable=lease.renewable, full=lease.full)
        self.renewals += 1
        if self._lease.at_maximum:
            self.login()

    def _replace_token(self) -> None:
        """Log in again, and revoke the old token: it may be valid, with too narrow policies."""
        old = self._client.token
        self.login()
        with suppress(SecretsError):
            self._revoke(old)

    def _revoke(self, token: str) -> None:
        current = self._client.token
        self._client.token = token
        try:
            with self._translate_errors("revoke the token"):
                self._client.auth.token.revoke_self()
        finally:
            self._client.token = "" if current == token else current

    def _translate_errors(
        self, action: str, *, hint: Callable[[], str] | None = None
    ) -> AbstractContextManager[None]:
        return translate_errors(action, address=self._config.address, hint=hint)
