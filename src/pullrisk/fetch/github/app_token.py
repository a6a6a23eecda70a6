"""The JSON web token by which a GitHub App proves its identity: signed with its key (RS256)."""

import time
from typing import Final

from pullrisk.errors import SettingsError, needs_extra

JWT_SECONDS: Final = 540
"""Lifetime of the token in seconds; GitHub allows 600."""


def signed_token(app_id: str, key: str) -> str:
    """A new token of the App; `key` is PEM. Raises SettingsError if it is no RSA key."""
    with needs_extra("github", library="PyJWT"):
        import jwt
    now = int(time.time())
    # Issued a minute ago, as GitHub advises, since clocks differ.
    claims = {"iat": now - 60, "exp": now + JWT_SECONDS, "iss": app_id}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, TypeError, jwt.exceptions.PyJWTError):
        raise SettingsError(
            "github_app_key is not an RSA private key",
            hint="download it from the App's settings on GitHub: a PEM file",
        ) from None
