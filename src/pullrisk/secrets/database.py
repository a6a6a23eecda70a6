"""Users of MongoDB that Vault's database engine makes for a while, woven into `mongo_uri`."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.secrets.connection import Connection
from pullrisk.secrets.lease import Lease

URI = "mongo_uri"


class DatabaseUser:
    """The user in force: renewed while that helps, then a new one before the old one ends."""

    def __init__(self, connection: Connection, clock: Callable[[], float]) -> None:
        self._connection, self._clock = connection, clock
        self._lease: Lease | None = None
        self._values: Mapping[str, SecretStr] = {}
        self._token = 0

    @property
    def due(self) -> float:
        """When to see to it."""
        return 0.0 if self._lease is None else self._lease.due

    def is_due(self, *, token: int) -> bool:
        """Whether the user has to be renewed, or goes with an earlier token."""
        return token != self._token or self._clock() >= self.due

    def into(self, values: Mapping[str, SecretStr], token: int) -> dict[str, SecretStr]:
        """The values, `mongo_uri` with the user that is in force.

        `token` counts the logins: a user ends with the token that it was made with, so each
        new token gets a new user. Raises SecretsError.
        """
        if self._lease is None or token != self._token or not self._keeps(self._lease):
            self._values, self._lease = self._connection.database()
            self._token = token
        found = dict(values)
        if URI in found:
            found[URI] = with_user(found[URI], self._values)
        return found

    def _keeps(self, lease: Lease) -> bool:
        if self._clock() < lease.due:
            return True
        if not lease.renewable:
            return False
        try:
            self._lease = self._connection.renew_database(lease)
        except SecretsError:
            return False  # if Vault is away, asking for a new user says so
        return not self._lease.at_maximum


def with_user(uri: SecretStr, user: Mapping[str, SecretStr]) -> SecretStr:
    """The URI with this user and password in place of any that it had."""
    scheme, mark, rest = uri.get_secret_value().partition("://")
    if not mark:
        raise SecretsError(
            "mongo_uri is no URI", hint="write it as mongodb://host:27017/ or mongodb+srv://host/"
        )
    hosts, slash, tail = rest.partition("/")
    name, password = (
        quote(user[key].get_secret_value(), safe="") for key in ("username", "password")
    )
    return SecretStr(f"{scheme}://{name}:{password}@{hosts.rpartition('@')[2]}{slash}{tail}")
