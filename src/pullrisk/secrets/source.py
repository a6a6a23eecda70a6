"""Chooses where secrets come from: Vault where VAULT_ADDR is set, and then nowhere else."""

import os
from collections.abc import Mapping

from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR, Redactor
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.learning import is_credential
from pullrisk.secrets.local import IN_KUBERNETES, LocalSecrets
from pullrisk.secrets.names import SECRETS
from pullrisk.secrets.port import Secrets


def open_secrets(
    stage: str,
    given: Mapping[str, SecretStr] | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
    redactor: Redactor = REDACTOR,
) -> Secrets:
    """The secrets of a stage; close them when done.

    Where there is no Vault, what the settings have `given` and the environment's usual variables
    serve; inside Kubernetes only if `allow_local`. Raises SettingsError, SecretsError, and
    MissingExtraError without the extra `vault`.
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
    """A credential in the settings beside Vault is a mistake, and would be one more copy."""
    names = [name for name, value in given.items() if is_credential(name, value)]
    if names:
        settings = ", ".join(SECRETS[name].variable for name in names)
        raise SettingsError(
            f"VAULT_ADDR is set, and the settings hold credentials too: {', '.join(names)}",
            hint=f"remove {settings}; with Vault, secrets come from nowhere else",
        )
