"""A small GraphQL client for GitHub: sends a document, cures what can be cured, says the rest.

Waiting for a limit and changing the credential happen here; asking for less is the caller's.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import httpx
import msgspec
import stamina

from pullrisk.errors import InputError, SettingsError
from pullrisk.fetch.github.answers import check_errors, check_status, server_time
from pullrisk.fetch.github.documents import Document
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import (
    Forbidden,
    Limited,
    NotFound,
    TooLarge,
    Transient,
    Unauthorized,
)
from pullrisk.fetch.github.keyring import Keyring
from pullrisk.fetch.github.lanes import Caller, Lane
from pullrisk.fetch.github.wire import Data, Problem, RateLimit

T = TypeVar("T", bound=Data)

ATTEMPTS: Final = 6
PATIENCE: Final = 12
"""Limits in a row, without one answer between them, after which a call is given up."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, pool=None)
_HEADERS: Final = {"User-Agent": "pullrisk", "Accept": "application/json"}


class Answer(msgspec.Struct, Generic[T]):
    """Data, perhaps partial: then `problems` say what is missing.

    `at` is GitHub's clock when the call began, in seconds since 1970; `lane` made the call.
    """

    data: T
    problems: list[Problem]
    seconds: float
    at: float
    lane: Lane


class Client:
    """Calls one GitHub with several credentials, each within its own budget.

    Who opened `http` closes it.
    """

    def __init__(self, endpoint: Endpoint, keyring: Keyring, *, http: httpx.AsyncClient) -> None:
        self.endpoint = endpoint
        self.lanes = keyring.lanes
        self.http = http
        self._keyring = keyring

    async def query(
        self,
        document: Document[T],
        variables: Mapping[str, object],
        *,
        caller: Caller,
        shrinkable: bool = False,
    ) -> Answer[T]:
        """The answer. Raises TooLarge (at once where the call is `shrinkable`, after retries
        where not), NotFound, Forbidden and BadCursor after every credential was tried;
        InputError where GitHub cannot be reached; SettingsError where no credential works.
        """
        body = msgspec.json.encode({"query": document.text(), "variables": variables})
        limited = 0
        renewed: set[Lane] = set()
        while True:
            await self._keyring.follow()
            lane = await self.lanes.lease(caller)
            try:
                return await self._patiently(document, body, lane, caller, shrinkable)
            except Unauthorized as failure:
                tried = lane in renewed or not lane.credential.renew()
                if tried and not await self._keyring.replaces(lane):
                    lane.refused = str(failure)
                renewed.add(lane)
            except Limited as failure:
                limited += 1
                self._pause(lane, failure, limited)
            except (NotFound, Forbidden):
                others = self.lanes.others(caller, lane)
                if not others or lane in caller.barred:
                    raise
                caller.barred.add(lane)

    async def backoff(self, failures: int) -> None:
        """Wait a little longer after each failure in a row."""
        await asyncio.sleep(self.lanes.pace * min(_FIRST_WAIT * 2 ** (failures - 1), _LONGEST_WAIT))

    async def _patiently(
        self, document: Document[T], body: bytes, lane: Lane, caller: Caller, shrinkable: bool
    ) -> Answer[T]:
        """Send again after a moment what failed for a moment."""
        again = (Transient,) if shrinkable else (Transient, TooLarge)
        leased = True
        try:
            async for attempt in stamina.retry_context(
                on=again,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=_FIRST_WAIT * self.lanes.pace,
                wait_max=_LONGEST_WAIT * self.lanes.pace,
                wait_jitter=_FIRST_WAIT * self.lanes.pace,
            ):
                with attempt:
                    if not leased:
                        lane.budget.start()
                    leased = False
                    return await self._once(document, body, lane, caller)
        except Transient as failure:
            raise InputError(
                f"{self.endpoint.host} cannot be reached: {failure}",
                hint="check the connection and githubstatus.com; run the command again to go on",
            ) from None
        raise AssertionError("unreachable")

    async def _once(
        self, document: Document[T], body: bytes, lane: Lane, caller: Caller
    ) -> Answer[T]:
        """One request; raises the Failure it ended with."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            response = await self._post(body, lane, caller)
        finally:
            ended = clock()
            lane.budget.finish(now=ended, seconds=ended - started)
        content = response.content
        check_status(response, content)
        try:
            envelope = document.decode(content)
        except msgspec.MsgspecError as error:
            raise Transient(f"an answer that is no GraphQL: {error}") from None
        at = server_time(response.headers)
        if envelope.data is not None and envelope.data.rate_limit is not None:
            self._note(envelope.data.rate_limit, lane, caller, now=ended, at=at)
        data = check_errors(envelope, response.headers)
        seconds = ended - started
        return Answer(data, envelope.errors or [], seconds, at - seconds, lane)

    async def _post(self, body: bytes, lane: Lane, caller: Caller) -> httpx.Response:
        headers = {
            **_HEADERS,
            "Authorization": await lane.credential.authorization(self.http),
            "Content-Type": "application/json",
        }
        caller.requests += 1
        try:
            return await self.http.post(self.endpoint.graphql, content=body, headers=headers)
        except httpx.ReadTimeout:
            raise TooLarge("no answer in time") from None
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        except httpx.InvalidURL as error:
            raise SettingsError(f"github_url: {error}") from None

    def _note(self, rate: RateLimit, lane: Lane, caller: Caller, *, now: float, at: float) -> None:
        caller.points += rate.cost
        lane.budget.note(rate, now=now, resets_in=max(rate.reset_at.timestamp() - at, 0.0))

    def _pause(self, lane: Lane, failure: Limited, limited: int) -> None:
        if limited > PATIENCE:
            raise InputError(
                f"{self.endpoint.host} answers with its limits only: {failure}",
                hint="wait an hour, use another token, or lower --concurrency",
            ) from None
        lane.budget.pause(asyncio.get_running_loop().time(), failure.seconds)


def connection(*, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The HTTP client for all calls; `transport` stands in for the network in tests."""
    return httpx.AsyncClient(timeout=_TIMEOUT, transport=transport, follow_redirects=False)
