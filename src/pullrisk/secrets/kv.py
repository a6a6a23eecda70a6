"""Reads a secret of a KV engine of version 2, and writes some with an operator's own token."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.secrets.client import import_hvac, open_client, translate_errors
from pullrisk.secrets.config import VaultConfig

_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}


def read_secret(client: Any, config: VaultConfig) -> dict[str, SecretStr]:  # noqa: ANN401
    """Every key at the configured path, with hvac's `client`.

    Lists become text with one item a line; empty values are left out. Raises SecretsError,
    VaultAwayError, DeniedError.
    """
    where = f"{config.mount}/{config.path}"
    exceptions = import_hvac().exceptions
    hint = f"the policy of role {config.role} has to allow read on {config.mount}/data/..."
    with translate_errors(f"read {where}", address=config.address, hint=hint):
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                config.path, mount_point=config.mount, raise_on_deleted_version=True
            )
        except exceptions.InvalidPath as error:
            _refuse_version_1(client, config)
            raise _absent(config, error.json) from None
        except exceptions.Forbidden:
            _refuse_version_1(client, config)
            raise
    return _texts(answer["data"]["data"], where)


def _absent(config: VaultConfig, answer: Any) -> SecretsError:  # noqa: ANN401
    """The error for Vault's 404: a deleted version, no such engine, or no such path."""
    where = f"{config.mount}/{config.path}"
    answer = answer if isinstance(answer, Mapping) else {}
    data = answer.get("data")
    if isinstance(data, Mapping) and data.get("metadata"):
        return SecretsError(
            f"the latest version of {where} is deleted",
            hint=f"bring it back (bao kv undelete) or write it again: bao kv put {where} ...",
        )
    if "no handler" in str(answer.get("errors")):
        return SecretsError(
            f"Vault has no engine mounted at {config.mount}/",
            hint="correct VAULT_SECRET_PATH, or run vault/install.sh",
        )
    return SecretsError(
        f"Vault has no secret at {where}",
        hint=f"correct VAULT_SECRET_PATH, or write it: bao kv put {where} ...",
    )


def _refuse_version_1(client: Any, config: VaultConfig) -> None:  # noqa: ANN401
    """Raise SecretsError if the engine is of version 1, which knows other paths."""
    mount = config.mount
    try:
        with translate_errors(f"look at {mount}/", address=config.address):
            answer = client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}")
    except SecretsError:
        return  # the error that led here says more
    if (answer["data"].get("options") or {}).get("version") == "1":
        raise SecretsError(
            f"{mount}/ is a KV engine of version 1, pullrisk reads version 2",
            hint=f"upgrade it: bao kv enable-versioning {mount}",
        )


def _texts(data: Mapping[str, Any], where: str) -> dict[str, SecretStr]:
    texts: dict[str, SecretStr] = {}
    for name, value in data.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = "\n".join(value)
        if not isinstance(value, str):
            raise SecretsError(
                f"{name} in {where} is a {type(value).__name__}, not text",
                hint=f"write it as text: bao kv patch {where} {name}=-",
            )
        if value.strip():
            texts[name] = SecretStr(value)
    return texts


class OperatorVault:
    """Vault as the holder of this token sees it, to be closed: no role of a stage may write."""

    def __init__(self, config: VaultConfig, token: str) -> None:
        self._config, self._client = config, open_client(config, token)

    def check(self, paths: Iterable[str]) -> None:
        """Raise SecretsError if the token may not create and patch each of these secrets."""
        places = [f"{self._config.mount}/data/{path}" for path in paths]
        with translate_errors("look up the token", address=self._config.address):
            allowed = self._client.sys.get_capabilities(places)["data"]
        for place in places:
            if "root" not in allowed[place] and not {"create", "patch"} <= set(allowed[place]):
                raise SecretsError(
                    f"this token may not create and patch {place}",
                    hint="bao token create -policy=app-setup -ttl=15m",
                )

    def merge(self, path: str, values: Mapping[str, str]) -> None:
        """Write these keys of a secret and leave its others; make it if there is none.

        Raises SecretsError.
        """
        url = f"/v1/{self._config.mount}/data/{path}"
        absent = import_hvac().exceptions.InvalidPath
        body: dict[str, Any] = {"data": dict(values)}
        with translate_errors(f"write {path}", address=self._config.address):
            adapter = self._client.adapter
            try:
                adapter.request("patch", url, headers=dict(_MERGE_PATCH), json=body)
            except absent:
                adapter.request("post", url, json=body | {"options": {"cas": 0}})

    def close(self) -> None:
        """Close the connection; the token ends by itself."""
        self._client.adapter.close()
