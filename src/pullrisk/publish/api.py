"""GitHub's APIs, asked with one credential: an installation of the App, or a job's token.

A call raises a `Failure` of `fetch.github.failures`: Limited and Transient pass, the others stay.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import stamina

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.credentials import Credential
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import (
    Limited,
    NotFound,
    TooLarge,
    Transient,
    Unauthorized,
    check_errors,
    check_status,
    read_answer,
)
from pullrisk.fetch.github.graphql import Data, Document

PAGE: Final = 100
"""The largest page that GitHub allows."""
MOST_BYTES: Final = 20_000_000
"""Of an answer; nothing here asks for as much."""
_JSON: Final = "application/vnd.github+json"
_RAW: Final = "application/vnd.github.raw+json"
_HEADERS: Final = {"User-Agent": "pullrisk", "X-GitHub-Api-Version": "2022-11-28"}
_GONE: Final = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 10.0
T = TypeVar("T")
D = TypeVar("D", bound=Data)
Confirm: TypeAlias = Callable[[], Awaitable[None]]
"""Awaited before a change; raises where none may be made any more."""


async def _always() -> None:
    """Nothing has to hold for a change."""


class Api:
    """One GitHub; paths begin with a slash. Does not close `http`.

    A call that fails for a moment is sent up to `attempts` times. The App's are sent once: its
    delivery waits in the queue and is handled again as a whole.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        endpoint: Endpoint,
        credential: Credential,
        *,
        attempts: int = 1,
        confirm: Confirm = _always,
    ) -> None:
        self.endpoint, self.confirm = endpoint, confirm
        self._http, self._credential, self._attempts = http, credential, attempts

    async def get(self, path: str, kind: type[T], **parameters: str | int) -> T:
        """The decoded answer. Raises a Failure."""
        return read_answer(await self._call("GET", path, parameters=parameters), kind)

    async def pages(
        self,
        path: str,
        kind: type[T],
        *,
        part: str | None = None,
        most: int,
        **parameters: str | int,
    ) -> list[T]:
        """The items of all pages, up to `most`; `part` names the list in each. Raises a Failure."""
        items: list[T] = []
        for page in range(1, -(-most // PAGE) + 1):
            query = {**parameters, "per_page": PAGE, "page": page}
            own = _listed(await self._call("GET", path, parameters=query), part, kind)
            items += own
            if len(own) < PAGE:
                break
        return items[:most]

    async def query(self, document: Document[D], variables: Mapping[str, object]) -> D:
        """The data of a GraphQL answer. Raises a Failure."""
        body = {"query": document.text(), "variables": variables}
        answer = await self._call("POST", "", body=body, root=self.endpoint.graphql)
        try:
            envelope = document.decode(answer)
        except (ValueError, RecursionError) as error:
            raise Transient(f"GitHub's answer cannot be understood: {error}") from None
        return check_errors(envelope, {})

    async def raw(self, path: str, **parameters: str) -> bytes:
        """The bytes of a file. Raises a Failure."""
        return await self._call("GET", path, parameters=parameters, accept=_RAW)

    async def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> None:
        """A POST, PATCH or DELETE with JSON. Raises a Failure, and what `confirm` raises."""
        await self.confirm()
        await self._call(method, path, body=body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        accept: str = _JSON,
        root: str | None = None,
    ) -> bytes:
        """A call, with another token if GitHub refuses the first. Raises a Failure."""
        request = self._http.build_request(
            method,
            (root or self.endpoint.rest) + path,
            params=parameters,
            json=body,
            headers=_HEADERS | {"Accept": accept},
        )
        async for attempt in stamina.retry_context(
            on=(Transient, Limited), attempts=self._attempts, timeout=None,
            wait_initial=_FIRST_WAIT, wait_max=_LONGEST_WAIT,
        ):  # fmt: skip
            with attempt:
                try:
                    return await self._send(request)
                except Unauthorized:
                    if not self._credential.renew():
                        raise
                    return await self._send(request)
        raise AssertionError("unreachable")

    async def _send(self, request: httpx.Request) -> bytes:
        request.headers["Authorization"] = await self._credential.authorization(self._http)
        try:
            # A repository that was renamed is elsewhere; httpx shows no other host the token.
            response = await self._http.send(request, follow_redirects=True)
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        return _checked(response)


def repository_path(name: str, *parts: str | int) -> str:
    """`/repos/OWNER/NAME/…`, each part quoted."""
    return "/".join(["/repos", name, *_quoted(parts)])


def _quoted(parts: tuple[str | int, ...]) -> Iterator[str]:
    return (quote(str(part), safe="") for part in parts)


def _checked(response: httpx.Response) -> bytes:
    """The body of an answer with a status of success. Raises a Failure."""
    if response.is_success:
        if len(response.content) > MOST_BYTES:
            raise Transient(f"the answer at {response.url.path} is too large")
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


def _listed(data: bytes, part: str | None, kind: type[T]) -> list[T]:
    """The items of one page. Raises Transient."""
    if part is not None:
        data = bytes(read_answer(data, dict[str, msgspec.Raw]).get(part, msgspec.Raw(b"null")))
    return read_answer(data, list[kind])  # type: ignore[valid-type]
