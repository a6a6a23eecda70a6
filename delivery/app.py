"""The GitHub App that pushes: rules of a branch let an App past them, and no workflow's file."""

from typing import Any, Final

import httpx

from delivery.errors import AwayError, RefusedError

_TIMEOUT: Final = 30.0


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
    from pullrisk.errors import SettingsError
    from pullrisk.fetch.github.app_token import signed_token

    try:
        return signed_token(app_id, key)
    except SettingsError as error:
        raise RefusedError(str(error.args[0]), hint=error.hint) from None
