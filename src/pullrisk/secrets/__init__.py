"""Credentials: from Vault if VAULT_ADDR is set, otherwise from the settings or environment."""

from pullrisk.secrets.health import Health
from pullrisk.secrets.names import SECRETS, STAGES, Needs, Secret
from pullrisk.secrets.source import LocalSecrets, Secrets, Snapshot, open_secrets

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
