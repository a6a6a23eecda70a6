"""What a job may use, from Vault, for its OIDC identity; stored nowhere on GitHub."""

from collections.abc import Mapping
from contextlib import closing
from os import environ
from typing import Final

from delivery.app import push_token
from delivery.errors import AwayError, InputError

ROLES: Final = ("ci-read", "ci-build", "ci-promote")
"""Roles of jobs in Vault: vault/roles/jwt."""


def job_tokens() -> dict[str, str]:
    """`token` for the registry and, where the role in VAULT_ROLE has an App, `push` for Git.

    Raises InputError without VAULT_ADDR or for another role, AwayError if Vault or GitHub cannot
    be reached or refuses.
    """
    if not environ.get("VAULT_ADDR", "").strip():
        raise InputError("VAULT_ADDR is not set", hint="it is a variable of the GitHub environment")
    role = environ.get("VAULT_ROLE", "")
    if role not in ROLES:
        raise InputError(f"VAULT_ROLE is {role!r}", hint=f"a job's role is {', '.join(ROLES)}")
    secrets = _secrets(role)
    tokens = {"token": secrets["registry_token"]}
    if "github_app_id" in secrets:
        tokens["push"] = push_token(
            secrets["github_app_id"],
            secrets["github_app_key"],
            repository=environ.get("GITHUB_REPOSITORY", ""),
            api=environ.get("GITHUB_API_URL", "https://api.github.com"),
        )
    return tokens


def _secrets(role: str) -> Mapping[str, str]:
    from pullrisk.errors import PullriskError
    from pullrisk.secrets.config import vault_config
    from pullrisk.secrets.vault import VaultSecrets

    try:
        config = vault_config(environ, role)
        assert config is not None  # noqa: S101  (job_tokens looked)
        with closing(VaultSecrets(config, role).open()) as secrets:
            values = secrets.snapshot().values
            return {name: value.get_secret_value() for name, value in values.items()}
    except PullriskError as error:
        raise AwayError(str(error.args[0]), hint=error.hint) from None
