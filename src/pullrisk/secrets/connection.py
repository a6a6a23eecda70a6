"""Talks to one Vault as one stage: log in, renew, read. Every refusal says what to fix."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.auth import Auth, auth_of
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.faults import explained, import_hvac
from pullrisk.secrets.lease import Lease


class Connection:
    """hvac's client and the stage's token. Not to be shared by threads."""

    def __init__(
        self,
        config: VaultConfig,
        *,
        auth: Auth | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._clock = config, clock
        self._auth = auth or auth_of(config)
        # An empty token: hvac would else take VAULT_TOKEN or the one in the home folder.
        self._client = import_hvac().Client(
            url=config.address,
            token="",
            verify=str(config.ca_file) if config.ca_file else True,
            timeout=config.timeout,
            namespace=config.namespace,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._config.address!r}, role={self._config.role!r})"

    def login(self) -> Lease:
        """Obtain a token. Raises SecretsError, VaultAwayError, DeniedError."""
        config = self._config
        doing = f"log in as {config.role} at auth/{config.auth_mount}"
        with self._explained(doing, hint=self._auth.hint):
            answer = self._auth.login(self._client)["auth"]
            token, seconds = str(answer["client_token"]), float(answer["lease_duration"])
        REDACTOR.learn(token)
        self._client.token = token
        return Lease(seconds, self._clock(), renewable=bool(answer["renewable"]), whole=seconds)

    def renew(self, lease: Lease) -> Lease:
        """Prolong the token by its first term, as far as its maximum lets."""
        with self._explained("renew the token"):
            answer = self._client.auth.token.renew_self(increment=f"{int(lease.whole)}s")
        return lease.renewed(float(answer["auth"]["lease_duration"]), self._clock())

    @property
    def token(self) -> SecretStr:
        """The token in use, empty without one."""
        return SecretStr(self._client.token or "")

    def revoke(self, token: SecretStr) -> None:
        """Give a token back, so that nobody else can use it."""
        current = self._client.token
        self._client.token = token.get_secret_value()
        try:
            with self._explained("revoke the token"):
                self._client.auth.token.revoke_self()
        finally:
            self._client.token = "" if current == token.get_secret_value() else current

    def read(self) -> dict[str, SecretStr]:
        """Every key of the stage's path in KV v2. Raises SecretsError, DeniedError."""
        config = self._config
        where = f"{config.mount}/{config.path}"
        invalid_path = import_hvac().exceptions.InvalidPath
        hint = f"the policy of role {config.role} has to allow read on {config.mount}/data/..."
        with self._explained(f"read {where}", hint=hint):
            try:
                answer = self._client.secrets.kv.v2.read_secret_version(
                    config.path, mount_point=config.mount, raise_on_deleted_version=True
                )
            except invalid_path as error:
                raise self._absent(where, error.json) from None
            except import_hvac().exceptions.Forbidden:
                self._refuse_version_1()
                raise
        return _strings(answer["data"]["data"], where)

    def reach(self, paths: Iterable[str]) -> list[tuple[str, bool]]:
        """Each path and whether the token's policies let it be read."""
        wanted = list(paths)
        with self._explained("look up the token's capabilities"):
            answer = self._client.sys.get_capabilities(wanted)["data"]
        return [(path, not {"read", "root"}.isdisjoint(answer[path])) for path in wanted]

    def database(self) -> tuple[dict[str, SecretStr], Lease]:
        """A new user and password from the database engine, and their lease."""
        path = str(self._config.database_path)
        with self._explained(
            f"read {path}", hint=f"the policy of role {self._config.role} has to allow read on it"
        ):
            answer = self._client.read(path)
        if not answer or not {"username", "password"} <= set(answer["data"]):
            raise SecretsError(
                f"{path} gave no user and password",
                hint="VAULT_DATABASE_PATH has to be database/creds/<role> of a database engine",
            )
        values = _strings({k: answer["data"][k] for k in ("username", "password")}, path)
        seconds = float(answer["lease_duration"])
        return values, Lease(
            seconds,
            self._clock(),
            renewable=bool(answer["renewable"]),
            whole=seconds,
            id=str(answer["lease_id"]),
        )

    def renew_database(self, lease: Lease) -> Lease:
        """Prolong a database user's lease."""
        with self._explained("renew the database user"):
            answer = self._client.sys.renew_lease(lease.id, increment=int(lease.whole))
        return lease.renewed(float(answer["lease_duration"]), self._clock())

    def _explained(
        self, doing: str, *, hint: str | Callable[[], str] | None = None
    ) -> AbstractContextManager[None]:
        return explained(doing, address=self._config.address, hint=hint)

    def _absent(self, where: str, answer: Any) -> SecretsError:  # noqa: ANN401
        """Why nothing is there: KV v1, a deleted version, no such mount, or no such path."""
        self._refuse_version_1()
        data = answer.get("data") if isinstance(answer, Mapping) else None
        if isinstance(data, Mapping) and data.get("metadata"):
            return SecretsError(
                f"the latest version of {where} is deleted",
                hint=f"bring it back (bao kv undelete) or write anew: bao kv put {where} ...",
            )
        said = str(answer.get("errors") if isinstance(answer, Mapping) else "")
        if "no handler" in said:
            return SecretsError(
                f"Vault has no engine mounted at {self._config.mount}/",
                hint="correct VAULT_SECRET_PATH, or run: pullrisk vault bootstrap",
            )
        return SecretsError(
            f"Vault has no secret at {where}",
            hint="correct VAULT_SECRET_PATH, or load it with: pullrisk vault bootstrap",
        )

    def _refuse_version_1(self) -> None:
        mount = self._config.mount
        try:
            with self._explained(f"look at {mount}/"):
                answer = self._client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}")
        except SecretsError:
            return  # the first error tells more
        if (answer["data"].get("options") or {}).get("version") == "1":
            raise SecretsError(
                f"{mount}/ is a KV engine of version 1, pullrisk reads version 2",
                hint=f"upgrade it: bao kv enable-versioning {mount}",
            )


def _strings(data: Mapping[str, Any], where: str) -> dict[str, SecretStr]:
    """The values as text, lists of text one a line, empty ones left out."""
    found: dict[str, SecretStr] = {}
    for name, value in data.items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            value = "\n".join(value)
        if not isinstance(value, str):
            raise SecretsError(
                f"{name} in {where} is a {type(value).__name__}, not text",
                hint=f"write it as text: bao kv patch {where} {name}=-",
            )
        if value.strip():
            found[name] = SecretStr(value)
    return found
