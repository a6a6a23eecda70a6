"""The GitHub App that pushes: rules of a branch let an App past them, and no workflow's file."""

import time
from typing import Any, Final

import httpx

from delivery.errors import AwayError, RefusedError

_TIMEOUT: Final = 30.0
_JWT_SECONDS: Final = 540


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
        wanted = {
            "repositories": [repository.rpartition("/")[2]],
            "permissions": {"contents": "write"},
        }
        url = f"{api}/app/installations/{installation['id']}/access_tokens"
        return str(_answer(http, "POST", url, app_id, wanted)["token"])


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
    import jwt

    now = int(time.time())
    # Issued a minute ago, as GitHub advises, since clocks differ.
    claims = {"iat": now - 60, "exp": now + _JWT_SECONDS, "iss": app_id}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, TypeError, jwt.exceptions.PyJWTError):
        raise RefusedError("github_app_key is not an RSA private key") from None
