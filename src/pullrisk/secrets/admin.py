"""What an operator's token may do in Vault: look at and change engines, auth, policies, secrets."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from pydantic import SecretStr

from pullrisk.secrets.config import DEFAULT_MOUNT, VaultConfig
from pullrisk.secrets.faults import explained, import_hvac

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Admin:
    """Vault through an operator's token. Every method raises SecretsError where Vault refuses."""

    def __init__(self, config: VaultConfig, token: SecretStr) -> None:
        self._address = config.address
        self._client = import_hvac().Client(
            url=config.address,
            token=token.get_secret_value(),
            verify=str(config.ca_file) if config.ca_file else True,
            timeout=config.timeout,
            namespace=config.namespace,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def engines(self) -> Mapping[str, Mapping[str, Any]]:
        """Secret engines by path, which ends in a slash."""
        with self._doing("list the secret engines"):
            return dict(self._client.sys.list_mounted_secrets_engines()["data"])

    def auths(self) -> Mapping[str, Mapping[str, Any]]:
        """Auth methods by path, which ends in a slash."""
        with self._doing("list the auth methods"):
            return dict(self._client.sys.list_auth_methods()["data"])

    def enable_engine(self, path: str, spec: Mapping[str, Any]) -> None:
        """Mount a secret engine."""
        with self._doing(f"enable {path}/"):
            self._client.sys.enable_secrets_engine(
                spec["type"], path=path, options=spec.get("options")
            )

    def enable_auth(self, path: str, kind: str) -> None:
        """Mount an auth method."""
        with self._doing(f"enable auth/{path}/"):
            self._client.sys.enable_auth_method(kind, path=path)

    def policy(self, name: str) -> str | None:
        """A policy's text, None where there is none."""
        with self._doing(f"read the policy {name}"):
            try:
                return str(self._client.sys.read_policy(name)["data"]["rules"])
            except import_hvac().exceptions.InvalidPath:
                return None

    def write_policy(self, name: str, text: str) -> None:
        """Create or replace a policy."""
        with self._doing(f"write the policy {name}"):
            self._client.sys.create_or_update_policy(name, text)

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What is at a path, None where there is nothing yet."""
        exceptions = import_hvac().exceptions
        with self._doing(f"read {path}"):
            try:
                answer = self._client.read(path)
            except (exceptions.InvalidPath, exceptions.InvalidRequest):
                return None  # an auth method without configuration answers with 400
            return None if answer is None else dict(answer["data"])

    def write(self, path: str, data: Mapping[str, Any]) -> None:
        """Write to a path."""
        with self._doing(f"write {path}"):
            self._client.write_data(path, data=dict(data))

    def secret(self, path: str) -> tuple[dict[str, Any], int]:
        """A secret in KV v2 and its version; nothing and 0 where there is none."""
        with self._doing(f"read {DEFAULT_MOUNT}/{path}"):
            try:
                answer = self._client.secrets.kv.v2.read_secret_version(
                    path, mount_point=DEFAULT_MOUNT, raise_on_deleted_version=False
                )
            except import_hvac().exceptions.InvalidPath:
                return {}, 0
            data = answer["data"]
            return dict(data["data"] or {}), int(data["metadata"]["version"])

    def write_secret(self, path: str, values: Mapping[str, Any], version: int) -> None:
        """Write a secret's next version; refused if somebody else wrote since `version`."""
        with self._doing(f"write {DEFAULT_MOUNT}/{path}"):
            self._client.secrets.kv.v2.create_or_update_secret(
                path, secret=dict(values), cas=version, mount_point=DEFAULT_MOUNT
            )

    def _doing(self, doing: str) -> AbstractContextManager[None]:
        hint = "the operator's token has to be valid and allowed to do that"
        return explained(doing, address=self._address, hint=hint)


def same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether what is there says the same as far as it is wanted, however it is spelled."""
    return all(_plain(value) == _plain(there.get(key)) for key, value in wanted.items())


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Durations in seconds, lists sorted, a list of one as that one."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        each = sorted(str(one).strip() for one in value)
        return each[0] if len(each) == 1 else each
    if not isinstance(value, str):
        return value
    duration = re.fullmatch(r"(\d+)([smhd])", value)
    return int(duration[1]) * _UNITS[duration[2]] if duration else value.strip()
