"""What a job may use, from Vault, for its OIDC identity; stored nowhere on GitHub.

The GitHub App pushes: rules of a branch let an App past them, and no workflow's file.
"""

from collections.abc import Mapping
from contextlib import closing
from os import environ
from typing import Any, Final

import httpx

from delivery.errors import AwayError, InputError, RefusedError

ROLES: Final = ("ci-read", "ci-build", "ci-promote")
"""Roles of jobs in Vault: vault/roles/jwt."""
_TIMEOUT: Final = 30.0


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


def push_token(app_id: str, key: str, *, repository: str, api: str) -> str:
    """A token that may write the contents of this one repository, for an hour; `key` is PEM.

    Raises RefusedError if GitHub does not know the App there, AwayError if GitHub cannot be
    reached.
    """
    own = f"{api}/repos/{repository}/installation"
    headers = {
        "Authorization": f"Bearer {_signed(app_id, key)}",
        "Accept": "application/vnd.github+json",
    }
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as http:
        installation = _answer(http, "GET", own, app_id)
        scope = {
            "repositories": [repository.rpartition("/")[2]],
            "permissions": {"contents": "write"},
        }
        url = f"{api}/app/installations/{installation['id']}/access_tokens"
        return str(_answer(http, "POST", url, app_id, scope)["token"])


def _answer(
    http: httpx.Client, method: str, url: str, app_id: str, body: object = None
) -> dict[str, Any]:
    try:
        answer = http.request(method, url, json=body)
    except httpx.HTTPError as error:
        raise AwayError(f"App {app_id} cannot log in to GitHub: {error}") from None
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise AwayError(f"App {app_id} cannot log in to GitHub: status {answer.status_code}")
    if answer.is_error:
        raise RefusedError(
            f"GitHub refuses App {app_id}: status {answer.status_code}",
            hint="is it installed in the repository, with contents: write, and is the key its own?",
        )
    return dict(answer.json())


def _signed(app_id: str, key: str) -> str:
    from pullrisk.errors import SettingsError
    from pullrisk.fetch.github.app_token import signed_token

    try:
        return signed_token(app_id, key)
    except SettingsError as error:
        raise RefusedError(str(error.args[0]), hint=error.hint) from None
