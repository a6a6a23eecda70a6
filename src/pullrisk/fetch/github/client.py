"""A small GraphQL client for GitHub: it sends a document and returns the decoded answer.

It handles rate limits (by waiting), refused credentials (by using another) and short failures
(by sending again). All other failures are raised; the caller decides whether to ask for less.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import httpx
import msgspec
import stamina

from pullrisk.errors import InputError, SettingsError
from pullrisk.fetch.github.endpoint import Endpoint
from pullrisk.fetch.github.failures import (
    Forbidden,
    Limited,
    NotFound,
    TooLarge,
    Transient,
    Unauthorized,
    check_errors,
    check_status,
    server_time,
)
from pullrisk.fetch.github.graphql import Data, Document, Problem, RateLimit
from pullrisk.fetch.github.slots import Caller, CredentialPool, CredentialSlot

T = TypeVar("T", bound=Data)

ATTEMPTS: Final = 6
"""How often a call is sent that fails for a moment."""
MAX_LIMITS: Final = 12
"""Rate limits in a row, without an answer between them, after which a call is given up."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, pool=None)
_HEADERS: Final = {"User-Agent": "pullrisk", "Accept": "application/json"}


class Answer(msgspec.Struct, Generic[T]):
    """An answer; if `data` is partial, `problems` say what is missing.

    `at` is when the call began by GitHub's clock, in seconds since 1970; `seconds` is how long
    it took; `slot` made the call.
    """

    data: T
    problems: list[Problem]
    seconds: float
    at: float
    slot: CredentialSlot


class Client:
    """Calls one GitHub with several credentials, each within its own budget.

    The client does not close `http`.
    """

    def __init__(
        self, endpoint: Endpoint, pool: CredentialPool, *, http: httpx.AsyncClient
    ) -> None:
        self.endpoint = endpoint
        self.pool = pool
        self._http = http

    async def query(
        self,
        document: Document[T],
        variables: Mapping[str, object],
        *,
        caller: Caller,
        shrinkable: bool = False,
    ) -> Answer[T]:
        """Send the document and return the answer.

        Raises NotFound and Forbidden after every credential was tried; BadCursor; TooLarge, at
        once if the call is `shrinkable`, else after retries; InputError if GitHub cannot be
        reached; SettingsError if it accepts no credential.
        """
        body = msgspec.json.encode({"query": document.text(), "variables": variables})
        limits = 0
        renewed: set[CredentialSlot] = set()
        while True:
            await self.pool.apply_rotation()
            slot = await self.pool.acquire(caller)
            try:
                return await self._send_until_answered(document, body, slot, caller, shrinkable)
            except Unauthorized as failure:
                tried = slot in renewed or not slot.credential.renew()
                if tried and not await self.pool.was_rotated(slot):
                    slot.refused = str(failure)
                renewed.add(slot)
            except Limited as failure:
                limits += 1
                self._pause(slot, failure, limits)
            except (NotFound, Forbidden):
                if not self.pool.others(caller, slot) or slot in caller.excluded:
                    raise
                caller.excluded.add(slot)

    async def backoff(self, failures: int) -> None:
        """Wait after the `failures`-th failure in a row: 1 s, then twice as long each time."""
        await asyncio.sleep(self.pool.pace * min(_FIRST_WAIT * 2 ** (failures - 1), _LONGEST_WAIT))

    async def _send_until_answered(
        self,
        document: Document[T],
        body: bytes,
        slot: CredentialSlot,
        caller: Caller,
        shrinkable: bool,
    ) -> Answer[T]:
        """Send the call, and send it again if it fails for a moment."""
        again = (Transient,) if shrinkable else (Transient, TooLarge)
        counted = True  # by `acquire`, for the first attempt
        try:
            async for attempt in stamina.retry_context(
                on=again,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=_FIRST_WAIT * self.pool.pace,
                wait_max=_LONGEST_WAIT * self.pool.pace,
                wait_jitter=_FIRST_WAIT * self.pool.pace,
            ):
                with attempt:
                    if not counted:
                        slot.budget.start()
                    counted = False
                    return await self._send(document, body, slot, caller)
        except Transient as failure:
            raise InputError(
                f"{self.endpoint.host} cannot be reached: {failure}",
                hint="check the connection and githubstatus.com; run the command again to go on",
            ) from None
        raise AssertionError("unreachable")

    async def _send(
        self, document: Document[T], body: bytes, slot: CredentialSlot, caller: Caller
    ) -> Answer[T]:
        """Send one request. Raises a Failure."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            response = await self._post(body, slot, caller)
        finally:
            ended = clock()
            slot.budget.finish(now=ended, seconds=ended - started)
        content = response.content
        check_status(response, content)
        try:
            envelope = document.decode(content)
        except (ValueError, RecursionError) as error:
            raise Transient(f"an answer that is not GraphQL: {error}") from None
        at = server_time(response.headers)
        if envelope.data is not None and envelope.data.rate_limit is not None:
            self._note(envelope.data.rate_limit, slot, caller, now=ended, at=at)
        data = check_errors(envelope, response.headers)
        seconds = ended - started
        return Answer(data, envelope.errors or [], seconds, at - seconds, slot)

    async def _post(self, body: bytes, slot: CredentialSlot, caller: Caller) -> httpx.Response:
        headers = {
            **_HEADERS,
            "Authorization": await slot.credential.authorization(self._http),
            "Content-Type": "application/json",
        }
        caller.requests += 1
        try:
            return await self._http.post(self.endpoint.graphql, content=body, headers=headers)
        except httpx.ReadTimeout:
            raise TooLarge("no answer in time") from None
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from None
        except httpx.InvalidURL as error:
            raise SettingsError(f"github_url: {error}") from None

    def _note(
        self, rate: RateLimit, slot: CredentialSlot, caller: Caller, *, now: float, at: float
    ) -> None:
        caller.points += rate.cost
        slot.budget.note(rate, now=now, resets_in=max(rate.reset_at.timestamp() - at, 0.0))

    def _pause(self, slot: CredentialSlot, failure: Limited, limits: int) -> None:
        if limits > MAX_LIMITS:
            raise InputError(
                f"{self.endpoint.host} answers with its limits only: {failure}",
                hint="wait an hour, use another token, or lower --concurrency",
            ) from None
        slot.budget.pause(asyncio.get_running_loop().time(), failure.seconds)


def connection(*, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The HTTP client for all calls; `transport` replaces the network in tests."""
    return httpx.AsyncClient(timeout=_TIMEOUT, transport=transport, follow_redirects=False)
