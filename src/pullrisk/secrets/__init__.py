"""Credentials: from Vault where VAULT_ADDR is set, from the settings or environment elsewhere."""

from pullrisk.secrets.local import LocalSecrets
from pullrisk.secrets.names import SECRETS, STAGES, Needs, Secret
from pullrisk.secrets.port import Health, Secrets, Snapshot
from pullrisk.secrets.source import open_secrets

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
