"""Writes secrets with an operator's own token: no role of a stage may write."""

from collections.abc import Iterable, Mapping
from typing import Any

from pullrisk.errors import SecretsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.config import VaultConfig
from pullrisk.secrets.vault_errors import import_hvac, translate_errors

_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class OperatorVault:
    """Vault as the holder of this token sees it; to be closed."""

    def __init__(self, config: VaultConfig, token: str) -> None:
        self._config = config
        REDACTOR.learn(token)
        self._client = import_hvac().Client(
            url=config.address,
            token=token,
            verify=str(config.ca_file) if config.ca_file else True,
            timeout=config.timeout,
            namespace=config.namespace,
        )

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
