"""What proves to GitHub who asks: tokens, and installations of a GitHub App."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import httpx
import msgspec

from pullrisk.errors import MissingExtraError, SettingsError
from pullrisk.fetch.github.answers import check_status
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import Forbidden, Transient, Unauthorized

RENEW_BEFORE: Final = 300.0
"""Seconds before its end at which an installation's token is renewed."""
JWT_SECONDS: Final = 540
"""Life of an App's own proof; GitHub allows ten minutes."""
_ACCEPT: Final = "application/vnd.github+json"


class Credential(Protocol):
    """One proof of identity with a budget of its own; `name` never holds the secret."""

    name: str

    async def authorization(self, http: httpx.AsyncClient) -> str:
        """The Authorization header's value. Raises a Failure where it must be fetched first."""

    def renew(self) -> bool:
        """Forget what was refused; False where there is nothing else to try."""


class Token:
    """A personal access token, or the one that a workflow is given."""

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
        """The token itself."""
        return f"Bearer {self._secret}"

    def renew(self) -> bool:
        """A token is what it is."""
        return False


class _Granted(msgspec.Struct):
    token: str
    expires_at: datetime


class _Installed(msgspec.Struct):
    id: int


class App:
    """A GitHub App: its id and the private key that signs for it (RS256)."""

    def __init__(self, app_id: str, key: str, *, rest: str) -> None:
        self.app_id = app_id
        self._key = key
        self._rest = rest

    def __repr__(self) -> str:
        return f"App({self.app_id})"

    async def installations(self, http: httpx.AsyncClient) -> list[int]:
        """Ids of all installations of the App. Raises a Failure."""
        found: list[int] = []
        url: str | None = f"{self._rest}/app/installations?per_page=100"
        while url:
            response = await self.send(http, "GET", url)
            found += [
                each.id for each in msgspec.json.decode(response.content, type=list[_Installed])
            ]
            url = response.links.get("next", {}).get("url")
        return found

    async def token(self, http: httpx.AsyncClient, installation: int) -> _Granted:
        """A token of the installation, good for an hour. Raises a Failure."""
        url = f"{self._rest}/app/installations/{installation}/access_tokens"
        response = await self.send(http, "POST", url)
        return msgspec.json.decode(response.content, type=_Granted)

    async def send(self, http: httpx.AsyncClient, method: str, url: str) -> httpx.Response:
        """One REST call in the App's own name. Raises a Failure."""
        headers = {"Authorization": f"Bearer {self._proof()}", "Accept": _ACCEPT}
        try:
            response = await http.request(method, url, headers=headers)
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        if response.status_code == httpx.codes.NOT_FOUND:
            raise Unauthorized("the App or its installation is not known there")
        if response.status_code != httpx.codes.CREATED:
            check_status(response, response.content)
        return response

    def _proof(self) -> str:
        try:
            import jwt
        except ImportError:
            raise MissingExtraError.of("PyJWT", "github") from None
        now = int(time.time())
        # A minute back, as GitHub advises: clocks differ.
        claims = {"iat": now - 60, "exp": now + JWT_SECONDS, "iss": self.app_id}
        try:
            return jwt.encode(claims, self._key, algorithm="RS256")
        except (ValueError, TypeError, jwt.exceptions.PyJWTError):
            raise SettingsError(
                "github_app_key is no RSA private key",
                hint="download it from the App's settings on GitHub: a PEM file",
            ) from None


class Installation:
    """One installation of an App; its token is renewed before its hour is over."""

    def __init__(self, app: App, installation: int) -> None:
        self.name = f"installation {installation} of App {app.app_id}"
        self._app = app
        self._installation = installation
        self._granted: _Granted | None = None

    def __repr__(self) -> str:
        return f"Installation({self.name})"

    async def authorization(self, http: httpx.AsyncClient) -> str:
        """The current token, a new one where it is about to end."""
        if (
            self._granted is None
            or self._granted.expires_at.timestamp() < time.time() + RENEW_BEFORE
        ):
            self._granted = await self._app.token(http, self._installation)
        return f"Bearer {self._granted.token}"

    def renew(self) -> bool:
        """Drop a token that was refused; False where there was none to drop."""
        had = self._granted is not None
        self._granted = None
        return had


def tokens(secrets: Sequence[str]) -> list[Token]:
    """One credential for each secret. Raises SettingsError, which shows no part of it."""
    for place, secret in enumerate(secrets, 1):
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise SettingsError(
                f"github_token {place} holds characters that no token has",
                hint="check for a line break or a quote that was copied with it",
            )
    return [Token(secret, name=f"token {place}") for place, secret in enumerate(secrets, 1)]


async def installations(
    http: httpx.AsyncClient, endpoint: Endpoint, *, app_id: str, key: str, only: Sequence[int]
) -> list[Installation]:
    """The App's installations, or `only` those; `key` is PEM. Raises SettingsError."""
    app = App(app_id, key, rest=endpoint.rest)
    try:
        return [Installation(app, each) for each in only or await app.installations(http)]
    except (Unauthorized, Forbidden) as failure:
        raise SettingsError(
            f"GitHub refuses App {app_id}: {failure}",
            hint="check github_app_id, and that github_app_key is this App's own key",
        ) from None
    except Transient as failure:
        raise SettingsError(f"App {app_id} cannot be looked up: {failure}") from None
