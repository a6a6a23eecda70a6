"""GitHub's REST API as installations of the App may call it.

A call raises a `Failure` of `fetch.github.failures`: Limited and Transient pass, the others stay.
Nothing is repeated here: the delivery waits in the queue and is handled again as a whole.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.access import Endpoint
from pullrisk.fetch.github.credentials import App, Installation
from pullrisk.fetch.github.failures import NotFound, TooLarge, Transient, Unauthorized, check_status

Credentials = Callable[[], tuple[str, str]]
"""Gives the App's id and private key (PEM) as they are now."""

PAGE: Final = 100
"""The largest page that GitHub allows."""
_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "User-Agent": "pullrisk",
    "X-GitHub-Api-Version": "2022-11-28",
}
_GONE: Final = (httpx.codes.NOT_FOUND, httpx.codes.GONE)


class AppGitHub:
    """The App on one GitHub; keeps the tokens of its installations. Does not close `http`."""

    def __init__(
        self, endpoint: Endpoint, credentials: Credentials, http: httpx.AsyncClient
    ) -> None:
        self.endpoint, self.http = endpoint, http
        self._credentials = credentials
        self._app: tuple[tuple[str, str], App] | None = None
        self._installations: dict[int, Installation] = {}

    def installation(self, number: int) -> "InstallationApi":
        """What one installation may call."""
        credentials = self._credentials()
        if self._app is None or self._app[0] != credentials:
            name, key = credentials
            self._app = credentials, App(name, key, rest=self.endpoint.rest)
            self._installations.clear()
        if number not in self._installations:
            self._installations[number] = Installation(self._app[1], number)
        return InstallationApi(self, self._installations[number])


class InstallationApi:
    """Calls as one installation; paths begin with a slash."""

    def __init__(self, github: AppGitHub, credential: Installation) -> None:
        self._github, self._credential = github, credential

    async def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401  (any JSON)
        """The decoded answer. Raises a Failure."""
        return msgspec.json.decode(await self.call("GET", path, parameters=parameters))

    async def send(self, method: str, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Send JSON; the decoded answer. Raises a Failure."""
        return msgspec.json.decode(await self.call(method, path, body=body))

    async def pages(
        self, path: str, *, part: str | None = None, most: int, **parameters: str | int
    ) -> list[Any]:
        """The items of all pages, up to `most`; `part` names the list in each. Raises a Failure."""
        items: list[Any] = []
        for page in range(1, -(-most // PAGE) + 1):
            answer = await self.get(path, per_page=PAGE, page=page, **parameters)
            own = answer if part is None else answer[part]
            items += own
            if len(own) < PAGE:
                break
        return items[:most]

    async def call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> bytes:
        """One call, with another token if GitHub refuses the first. Raises a Failure."""
        try:
            return await self._call(method, path, parameters, body)
        except Unauthorized:
            if not self._credential.renew():
                raise
            return await self._call(method, path, parameters, body)

    async def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None,
        body: Mapping[str, object] | None,
    ) -> bytes:
        http = self._github.http
        authorization = await self._credential.authorization(http)
        try:
            response = await http.request(
                method,
                self._github.endpoint.rest + path,
                params=parameters,
                json=body,
                headers=_HEADERS | {"Authorization": authorization},
                follow_redirects=True,  # a repository that was renamed
            )
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        return checked(response)


def checked(response: httpx.Response) -> bytes:
    """The body of an answer with a status of success. Raises a Failure."""
    if response.is_success:
        return response.content
    if response.status_code in _GONE:
        raise NotFound(f"HTTP {response.status_code} at {response.url.path}")
    try:
        check_status(response, response.content)
    except TooLarge as failure:  # a gateway's own trouble: nothing here asks for much
        raise Transient(str(failure)) from None
    except SettingsError as error:
        raise Transient(str(error)) from None
    raise Transient(f"HTTP {response.status_code}")


def repository_path(name: str, *parts: str | int) -> str:
    """`/repos/OWNER/NAME/…`, each part quoted."""
    return "/".join(["/repos", name, *_quoted(parts)])


def _quoted(parts: tuple[str | int, ...]) -> Iterator[str]:
    return (quote(str(part), safe="") for part in parts)
