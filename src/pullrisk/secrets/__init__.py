"""Credentials: from Vault if VAULT_ADDR is set, otherwise from the settings or environment."""

import os
from collections.abc import Mapping

from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.health import Health
from pullrisk.secrets.names import SECRETS, STAGES, Needs, Secret, is_credential
from pullrisk.secrets.source import IN_KUBERNETES, LocalSecrets, Secrets, Snapshot

__all__ = [
    "SECRETS",
    "STAGES",
    "Health",
    "LocalSecrets",
    "Needs",
    "Secret",
    "Secrets",
    "Snapshot",
    "open_secrets",
]


def open_secrets(
    stage: str,
    given: Mapping[str, SecretStr] | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
    redactor: Redactor = REDACTOR,
) -> Secrets:
    """The secrets of a stage; close them when done.

    They come from Vault if VAULT_ADDR is set, and then from nowhere else. Otherwise from
    `given`, which the settings hold, and the usual variables; inside Kubernetes only if
    `allow_local`. Raises SettingsError, SecretsError, and MissingExtraError without the extra
    `vault`.
    """
    environment = os.environ if environment is None else environment
    config = vault_config(environment, stage)
    if config is not None:
        _refuse_both(given or {})
        from pullrisk.secrets.vault import VaultSecrets

        return VaultSecrets(config, stage, redactor=redactor).open()
    if environment.get(IN_KUBERNETES) and not allow_local:
        raise SettingsError(
            "this runs inside Kubernetes and VAULT_ADDR is not set",
            hint="set VAULT_ADDR, or PULLRISK_ALLOW_LOCAL_SECRETS=true to take secrets from "
            "the settings and the environment",
        )
    return LocalSecrets(stage, given or {}, environment=environment, redactor=redactor)


def _refuse_both(given: Mapping[str, SecretStr]) -> None:
    """Raise SettingsError for a credential in the settings beside Vault: one copy too many."""
    names = [name for name, value in given.items() if is_credential(name, value)]
    if names:
        settings = ", ".join(SECRETS[name].variable for name in names)
        raise SettingsError(
            f"VAULT_ADDR is set, and the settings hold credentials too: {', '.join(names)}",
            hint=f"remove {settings}; with Vault, secrets come from nowhere else",
        )
