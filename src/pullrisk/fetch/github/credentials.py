"""Credentials for GitHub: personal access tokens, and installations of a GitHub App."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import httpx
import msgspec

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.app_token import signed_token
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import (
    Forbidden,
    Transient,
    Unauthorized,
    check_status,
    read_answer,
)

RENEW_BEFORE: Final = 300.0
"""An installation's token is renewed this many seconds before it expires."""
_ACCEPT: Final = "application/vnd.github+json"


class Credential(Protocol):
    """A credential with its own rate limit; `name` is for messages and never holds the secret."""

    name: str

    async def authorization(self, http: httpx.AsyncClient) -> str:
        """The value of the Authorization header, after a call to GitHub if it needs one.

        Raises a Failure if that call fails.
        """

    def renew(self) -> bool:
        """Discard the value that GitHub refused.

        Returns whether `authorization` may give another one.
        """


class Token:
    """A personal access token, or the token of a GitHub Actions workflow."""

    def __init__(self, secret: str, *, name: str) -> None:
        self.name = name
        self._secret = secret

    def __repr__(self) -> str:
        return f"Token({self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    async def authorization(self, http: httpx.AsyncClient) -> str:
        """The header with the token."""
        return f"Bearer {self._secret}"

    def renew(self) -> bool:
        """Return False: a token cannot be renewed."""
        return False


class _InstallationToken(msgspec.Struct):
    token: str
    expires_at: datetime


class _InstallationId(msgspec.Struct):
    id: int


class App:
    """A GitHub App, which proves its identity by the JSON web tokens of `app_token`."""

    def __init__(self, app_id: str, key: str, *, rest: str) -> None:
        self.app_id = app_id
        self._key = key
        self._rest = rest

    def __repr__(self) -> str:
        return f"App({self.app_id})"

    async def installations(self, http: httpx.AsyncClient) -> list[int]:
        """The ids of all installations of the App. Raises a Failure."""
        ids: list[int] = []
        url: str | None = f"{self._rest}/app/installations?per_page=100"
        while url:
            response = await self.send(http, "GET", url)
            ids += [
                installation.id
                for installation in read_answer(response.content, list[_InstallationId])
            ]
            url = response.links.get("next", {}).get("url")
        return ids

    async def token(self, http: httpx.AsyncClient, installation: int) -> _InstallationToken:
        """A new token for the installation, valid for one hour. Raises a Failure."""
        url = f"{self._rest}/app/installations/{installation}/access_tokens"
        response = await self.send(http, "POST", url)
        return read_answer(response.content, _InstallationToken)

    async def send(self, http: httpx.AsyncClient, method: str, url: str) -> httpx.Response:
        """Send one REST call that is authenticated as the App itself. Raises a Failure."""
        headers = {
            "Authorization": f"Bearer {signed_token(self.app_id, self._key)}",
            "Accept": _ACCEPT,
        }
        try:
            response = await http.request(method, url, headers=headers)
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        if response.status_code == httpx.codes.NOT_FOUND:
            raise Unauthorized("the App or its installation is not known there")
        if response.status_code != httpx.codes.CREATED:
            check_status(response, response.content)
        return response


class Installation:
    """One installation of an App; its token is valid for an hour and renewed before it expires."""

    def __init__(self, app: App, installation: int) -> None:
        self.name = f"installation {installation} of App {app.app_id}"
        self._app = app
        self._installation = installation
        self._token: _InstallationToken | None = None

    def __repr__(self) -> str:
        return f"Installation({self.name})"

    async def authorization(self, http: httpx.AsyncClient) -> str:
        """The header with the current token, or with a new one if it is about to expire."""
        if self._token is None or self._token.expires_at.timestamp() < time.time() + RENEW_BEFORE:
            self._token = await self._app.token(http, self._installation)
        return f"Bearer {self._token.token}"

    def renew(self) -> bool:
        """Discard the token, so that the next call gets a new one.

        Always True: several calls may have been refused with the same token.
        """
        self._token = None
        return True


def tokens(secrets: Sequence[str]) -> list[Token]:
    """One `Token` for each secret. Raises SettingsError, which shows no part of the secret."""
    for position, secret in enumerate(secrets, 1):
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise SettingsError(
                f"github_token {position} holds characters that no token has",
                hint="check for a line break or a quote that was copied with it",
            )
    return [Token(secret, name=f"token {position}") for position, secret in enumerate(secrets, 1)]


async def installations(
    http: httpx.AsyncClient, endpoint: Endpoint, *, app_id: str, key: str, only: Sequence[int]
) -> list[Installation]:
    """The App's installations, or those with the ids in `only`; `key` is PEM.

    Raises SettingsError if GitHub does not know the App, refuses it, or cannot be reached.
    """
    app = App(app_id, key, rest=endpoint.rest)
    try:
        return [Installation(app, number) for number in only or await app.installations(http)]
    except (Unauthorized, Forbidden) as failure:
        raise SettingsError(
            f"GitHub refuses App {app_id}: {failure}",
            hint="check github_app_id, and that github_app_key is this App's own key",
        ) from None
    except Transient as failure:
        raise SettingsError(f"App {app_id} cannot be looked up: {failure}") from None
