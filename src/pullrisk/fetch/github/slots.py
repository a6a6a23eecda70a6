"""Credential slots: each credential with its budget, and which one makes the next call."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.credentials import Credential, installations, tokens
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.graphql import RateLimit
from pullrisk.pulls.store import Rotating

RESERVE: Final = 20
"""Points that are never spent, so that the last calls under way still succeed."""
MINUTE: Final = 60.0
SECONDS_A_MINUTE: Final = 60.0
"""GitHub allows 60 s of CPU time a minute for GraphQL; response time is its advised estimate."""
CALLS_A_MINUTE: Final = 2_000
"""Points a minute; each query counts as one, whatever it costs of the hourly budget."""
FIRST_PAUSE: Final = 60.0
"""Seconds to wait after a secondary limit without a time, doubled each time it is repeated."""
LONGEST_PAUSE: Final = 900.0
_LOG: Final = logging.getLogger(__name__)
_HOW_TO_GET_ONE: Final = (
    "make one at https://github.com/settings/tokens (public repositories need no scope, "
    "private ones `repo`) and set GITHUB_TOKEN, or run: gh auth login"
)


class Budget:
    """How much one credential may still ask: points an hour, and GitHub's secondary limits.

    Times are seconds of a monotonic clock, which the caller reads. `pace` is a factor of every
    wait, for tests.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self._pace = pace
        self.remaining: int | None = None
        self.limit: int | None = None
        self._resets_at = 0.0
        self._paused_until = 0.0
        self._pauses = 0
        self._in_flight = 0
        self._recent: deque[tuple[float, float]] = deque()

    def ready_at(self, now: float) -> float:
        """The earliest time of the next call; at most `now` if it may be made at once."""
        moment = max(self._paused_until, self._minute_ready_at(now))
        if self._spent() and self._resets_at > now:
            moment = max(moment, self._resets_at)
        return moment

    def start(self) -> None:
        """Count a call that begins."""
        self._in_flight += 1

    def finish(self, *, now: float, seconds: float) -> None:
        """Count a call that ended and took `seconds`."""
        self._in_flight -= 1
        self._recent.append((now, seconds))

    def note(self, rate: RateLimit, *, now: float, resets_in: float) -> None:
        """Take over what GitHub says of the budget in an answer; `resets_in` is in seconds."""
        self._pauses = 0
        self.remaining, self.limit = rate.remaining, rate.limit
        self._resets_at = now + resets_in * self._pace

    def pause(self, now: float, seconds: float | None) -> float:
        """Make no call for `seconds`, or for as long as GitHub advises; returns the seconds."""
        if seconds is None:
            seconds = min(FIRST_PAUSE * 2**self._pauses, LONGEST_PAUSE)
        seconds *= self._pace
        self._pauses += 1
        self._paused_until = max(self._paused_until, now + seconds)
        return seconds

    def _spent(self) -> bool:
        return self.remaining is not None and self.remaining - self._in_flight <= min(
            RESERVE, (self.limit or 0) // 10
        )

    def _minute_ready_at(self, now: float) -> float:
        """When the calls of the last minute leave room for another one."""
        recent = self._recent
        while recent and recent[0][0] <= now - MINUTE:
            recent.popleft()
        excess = sum(seconds for _, seconds in recent) - SECONDS_A_MINUTE
        calls = len(recent) + self._in_flight - CALLS_A_MINUTE
        for ended, seconds in recent:
            if excess < 0 and calls < 0:
                return now
            excess -= seconds
            calls -= 1
            ready = ended + MINUTE
            if excess < 0 and calls < 0:
                return ready
        return now


class CredentialSlot:
    """A credential with its budget; `refused` is GitHub's reason if it does not accept it."""

    def __init__(self, credential: Credential, *, pace: float = 1.0) -> None:
        self.credential = credential
        self.budget = Budget(pace)
        self.refused: str | None = None


class Caller:
    """For whom calls are made, what they have cost, and which slots cannot see its repository.

    `waiting` is called with the seconds that a call has to wait for a limit.
    """

    def __init__(self) -> None:
        self.excluded: set[CredentialSlot] = set()
        self.requests = 0
        self.points = 0
        self.waiting: Callable[[float], object] = lambda seconds: None


class CredentialPool:
    """The slots of all credentials of one fetch, kept up to date while they are rotated.

    `rotating` is None if the credentials cannot change. Call `open` first.
    """

    def __init__(
        self, access: Access, http: httpx.AsyncClient, *, rotating: Rotating[Access] | None = None
    ) -> None:
        self.slots: Sequence[CredentialSlot] = []
        self.pace = access.pace
        self._access, self._http, self._rotating = access, http, rotating
        self._unusable: Access | None = None
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Make a slot for each credential. Raises SettingsError if there is none that works."""
        self._replace(await self._credentials(self._access))
        self.usable(Caller())

    @property
    def left(self) -> int | None:
        """Points left in all budgets together; None before the first answer."""
        known = [
            slot.budget.remaining
            for slot in self.slots
            if not slot.refused and slot.budget.remaining is not None
        ]
        return sum(known) if known else None

    def usable(self, caller: Caller) -> list[CredentialSlot]:
        """Slots that GitHub accepts, without those excluded for the caller if any is left.

        Raises SettingsError if GitHub accepts none.
        """
        accepted = [slot for slot in self.slots if not slot.refused]
        if not accepted:
            raise _none_left([slot for slot in self.slots if slot.refused])
        return [slot for slot in accepted if slot not in caller.excluded] or accepted

    def others(self, caller: Caller, slot: CredentialSlot) -> list[CredentialSlot]:
        """Other slots that may see what the caller asks for."""
        return [other for other in self.usable(caller) if other is not slot]

    async def acquire(self, caller: Caller) -> CredentialSlot:
        """The slot that may call soonest, once it may; of several, the one with most points.

        Counts the call as begun in the slot's budget.
        """
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            ready, slot = min(
                ((max(slot.budget.ready_at(now), now), slot) for slot in self.usable(caller)),
                key=lambda pair: (pair[0], -(pair[1].budget.remaining or 2**31)),
            )
            if ready <= now:
                slot.budget.start()
                return slot
            caller.waiting(ready - now)
            await asyncio.sleep(ready - now)

    async def apply_rotation(self) -> None:
        """Take over rotated credentials; keep the current ones if the new ones are unusable."""
        if self._rotating is None or self._rotating.now in (self._access, self._unusable):
            return
        async with self._lock:
            access = self._rotating.now
            if access == self._access:
                return  # another task did it
            try:
                self._replace(await self._credentials(access))
            except SettingsError as error:
                self._unusable = access
                _LOG.warning("rotated credentials of GitHub cannot be used: %s", error)
            else:
                self._access = access

    async def was_rotated(self, slot: CredentialSlot) -> bool:
        """Whether the slot's credential, which GitHub refused, has been replaced by now."""
        if self._rotating is None:
            return False
        self._unusable = None  # GitHub may have been the reason
        await self.apply_rotation()
        if slot in self.slots:
            await asyncio.to_thread(self._rotating.refresh)
            await self.apply_rotation()
        return slot not in self.slots

    def _replace(self, credentials: Sequence[Credential]) -> None:
        """Make the slots of these credentials; one that was there before keeps its slot."""
        slots = {slot.credential: slot for slot in self.slots}
        self.slots = [
            slots.get(credential) or CredentialSlot(credential, pace=self.pace)
            for credential in credentials
        ]

    async def _credentials(self, access: Access) -> Sequence[Credential]:
        credentials: list[Credential] = [*tokens(access.tokens)]
        if access.app_id and access.app_key:
            credentials += await installations(
                self._http,
                endpoint(access.url),
                app_id=access.app_id,
                key=access.app_key,
                only=access.app_installations,
            )
        return credentials


def _none_left(refused: Sequence[CredentialSlot]) -> SettingsError:
    if not refused:
        return SettingsError(
            "fetching from GitHub needs a token",
            hint=f"{_HOW_TO_GET_ONE}; a local clone needs none: pullrisk fetch --git PATH",
        )
    named = "; ".join(f"{slot.credential.name}: {slot.refused}" for slot in refused)
    return SettingsError(f"GitHub accepts no credential any more ({named})", hint=_HOW_TO_GET_ONE)
