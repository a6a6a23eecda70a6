"""Chooses where secrets come from: Vault where VAULT_ADDR is set, and then nowhere else."""

import os
from collections.abc import Mapping

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.local import IN_KUBERNETES, LocalSecrets, LocalValues
from pullrisk.secrets.port import Secrets


def open_secrets(
    stage: str,
    settings: LocalValues | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
    redactor: Redactor = REDACTOR,
) -> Secrets:
    """The secrets of a stage; close them when done.

    `settings` and the environment's usual variables serve where there is no Vault; inside
    Kubernetes only if `allow_local`. Raises SettingsError, SecretsError, MissingExtraError.
    """
    environment = os.environ if environment is None else environment
    settings = settings or LocalValues()
    config = vault_config(environment, stage)
    if config is not None:
        _refuse_both(settings)
        from pullrisk.secrets.vault import VaultSecrets

        return VaultSecrets(config, stage, redactor=redactor).open()
    if environment.get(IN_KUBERNETES) and not allow_local:
        raise SettingsError(
            "this runs inside Kubernetes and VAULT_ADDR is not set",
            hint="set VAULT_ADDR, or PULLRISK_ALLOW_LOCAL_SECRETS=true to take secrets from "
            "the settings and the environment",
        )
    return LocalSecrets(stage, settings, environment=environment, redactor=redactor)


def _refuse_both(settings: LocalValues) -> None:
    """A secret in the settings beside Vault is a mistake, and would be one more copy."""
    given = settings.given()
    if given:
        raise SettingsError(
            f"VAULT_ADDR is set, and the settings hold secrets too: {', '.join(given)}",
            hint="remove them from the settings; with Vault, secrets come from nowhere else",
        )
