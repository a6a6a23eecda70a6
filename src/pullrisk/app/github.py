"""GitHub as the App and its installations may call it."""

from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from pullrisk.fetch.github.credentials import App, Installation
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import read_answer
from pullrisk.publish.api import Api, Confirm

Credentials = Callable[[], tuple[str, str]]
"""Gives the App's id and private key (PEM) as they are now."""
_BOT: Final = "[bot]"
"""What GitHub appends to an App's name in its login."""


class _Self(msgspec.Struct):
    slug: str


class AppGitHub:
    """The App on one GitHub; keeps the tokens of its installations. Does not close `http`."""

    def __init__(
        self, endpoint: Endpoint, credentials: Credentials, http: httpx.AsyncClient
    ) -> None:
        self.endpoint, self.http = endpoint, http
        self._credentials = credentials
        self._app: tuple[tuple[str, str], App] | None = None
        self._installations: dict[int, Installation] = {}
        self._login: str | None = None

    def installation(self, number: int, confirm: Confirm) -> Api:
        """What one installation may call."""
        app = self._current()
        if number not in self._installations:
            self._installations[number] = Installation(app, number)
        return Api(self.http, self.endpoint, self._installations[number], confirm=confirm)

    async def login(self) -> str:
        """The login that the App writes as. Raises a Failure."""
        app = self._current()
        if self._login is None:
            response = await app.send(self.http, "GET", f"{self.endpoint.rest}/app")
            self._login = read_answer(response.content, _Self).slug + _BOT
        return self._login

    def _current(self) -> App:
        """The App with its present key."""
        credentials = self._credentials()
        if self._app is None or self._app[0] != credentials:
            name, key = credentials
            self._app = credentials, App(name, key, rest=self.endpoint.rest)
            self._installations.clear()
            self._login = None
        return self._app[1]
