"""Reads one secret from a KV engine of version 2, and finds out why there is none."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.vault_errors import import_hvac, translate_errors


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
