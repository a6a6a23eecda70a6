"""Logs in to Vault with a signed token, which is read again at each login."""

import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pullrisk.errors import SecretsError, SettingsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.client import VaultAwayError
from pullrisk.secrets.config import VaultConfig

_REQUEST_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_REQUEST_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105  (a variable's name)


class JwtAuth:
    """Kubernetes or JWT auth: with a token from a file, or with GitHub Actions' OIDC token."""

    def __init__(self, config: VaultConfig) -> None:
        self._config = config
        self._claims: Mapping[str, Any] = {}

    def login(self, client: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Log in with the token that the file holds now: the kubelet replaces it regularly.

        Returns Vault's answer. Raises SecretsError, and what hvac raises.
        """
        config = self._config
        token = self._token()
        REDACTOR.learn(token)
        self._claims = _claims(token)
        if config.method == "kubernetes":
            answer = client.auth.kubernetes.login(
                role=config.role, jwt=token, mount_point=config.auth_mount
            )
        else:
            answer = client.auth.jwt.jwt_login(role=config.role, jwt=token, path=config.auth_mount)
        return dict(answer)

    def hint(self) -> str:
        """What to look at if Vault refuses: the token's claims and the role they have to match."""
        config = self._config
        role = f"role {config.role} (bao read auth/{config.auth_mount}/role/{config.role})"
        if not self._claims:
            return f"the token in {config.jwt_file} is not a JSON web token; {role} needs one"
        ends = self._claims.get("exp")
        if isinstance(ends, int | float) and ends < datetime.now(UTC).timestamp():
            when = datetime.fromtimestamp(ends, UTC).isoformat(timespec="seconds")
            return (
                f"the token in {config.jwt_file} expired at {when}: mount a projected "
                "service-account token, which Kubernetes keeps fresh"
            )
        audience = self._claims.get("aud")
        return (
            f"compare the token (audience {audience}, subject {self._claims.get('sub')}) "
            f"with {role}: its audience, service account, namespace and bound claims"
        )

    def _token(self) -> str:
        if self._config.jwt_file is not None:
            return _read(self._config.jwt_file, "VAULT_JWT_FILE")
        return github_token(self._config.jwt_audience, self._config.timeout)


def github_token(audience: str | None, timeout: float) -> str:
    """The OIDC token of this GitHub Actions job.

    Raises SettingsError outside of a job, VaultAwayError if GitHub gives none.
    """
    import requests

    url, bearer = os.environ.get(_REQUEST_URL), os.environ.get(_REQUEST_TOKEN)
    if not url or not bearer:
        raise SettingsError(
            "JWT auth has no token: VAULT_JWT_FILE is not set and this is not a GitHub Actions job",
            hint="set VAULT_JWT_FILE, or give the job `permissions: id-token: write`",
        )
    REDACTOR.learn(bearer)
    try:
        answer = requests.get(
            url,
            params={"audience": audience} if audience else None,
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=timeout,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])
    except (requests.RequestException, KeyError, TypeError):
        refused = VaultAwayError(
            "GitHub gave no OIDC token for this job",
            hint="the job needs `permissions: id-token: write`; GitHub may also be down",
        )
    raise refused from None


def _read(path: Path, setting: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretsError(
            f"{path} cannot be read: {reason}",
            hint=f"mount it there, or name the right file with {setting}",
        ) from None
    if not text:
        raise SecretsError(f"{path} is empty", hint=f"mount it, or correct {setting}")
    return text


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a JSON web token, unverified: they are only shown beside Vault's refusal."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
