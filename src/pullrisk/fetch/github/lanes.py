"""Several credentials side by side, each with its budget: which one makes the next call."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.budget import Budget
from pullrisk.fetch.github.credentials import Credential

HOW_TO_GET_ONE = (
    "make one at https://github.com/settings/tokens (public repositories need no scope, "
    "private ones `repo`) and set GITHUB_TOKEN, or run: gh auth login"
)


class Lane:
    """A credential with its budget; `refused` says why it is out of use."""

    def __init__(self, credential: Credential, *, pace: float = 1.0) -> None:
        self.credential = credential
        self.budget = Budget(pace)
        self.refused: str | None = None


class Caller:
    """On whose behalf calls are made: which lanes cannot see it, and what it has cost.

    `waiting` is told how many seconds a call has to wait, and why.
    """

    def __init__(self, waiting: Callable[[float], object] | None = None) -> None:
        self.barred: set[Lane] = set()
        self.requests = 0
        self.points = 0
        self.waiting = waiting or (lambda seconds: None)


class Lanes:
    """All credentials of one fetch; `pace` multiplies every wait."""

    def __init__(self, credentials: Iterable[Credential], *, pace: float = 1.0) -> None:
        self.all: Sequence[Lane] = [Lane(each, pace=pace) for each in credentials]
        self.pace = pace

    def replace(self, credentials: Iterable[Credential]) -> None:
        """Go on with these; one that stays keeps its budget."""
        lanes = {lane.credential: lane for lane in self.all}
        self.all = [lanes.get(each) or Lane(each, pace=self.pace) for each in credentials]

    @property
    def left(self) -> int | None:
        """Points left in all budgets together, None while unknown."""
        known = [lane.budget.remaining for lane in self.all if not lane.refused]
        return (
            sum(each for each in known if each is not None)
            if any(each is not None for each in known)
            else None
        )

    def others(self, caller: Caller, lane: Lane) -> list[Lane]:
        """Lanes other than this one that may still see what the caller wants."""
        return [each for each in self.usable(caller) if each is not lane]

    def usable(self, caller: Caller) -> list[Lane]:
        """Lanes that work and are not barred. Raises SettingsError where none works at all."""
        working = [lane for lane in self.all if not lane.refused]
        if not working:
            raise _none_left([lane for lane in self.all if lane.refused])
        return [lane for lane in working if lane not in caller.barred] or working

    async def lease(self, caller: Caller) -> Lane:
        """The lane that can call soonest, waiting for it; of several, the one with most left."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            ready, lane = min(
                ((max(each.budget.ready_at(now), now), each) for each in self.usable(caller)),
                key=lambda pair: (pair[0], -(pair[1].budget.remaining or 2**31)),
            )
            if ready <= now:
                lane.budget.start()
                return lane
            caller.waiting(ready - now)
            await asyncio.sleep(ready - now)


def _none_left(refused: Sequence[Lane]) -> SettingsError:
    if not refused:
        return SettingsError(
            "fetching from GitHub needs a token",
            hint=f"{HOW_TO_GET_ONE}; a local clone needs none: pullrisk fetch --git PATH",
        )
    named = "; ".join(f"{lane.credential.name}: {lane.refused}" for lane in refused)
    return SettingsError(f"GitHub accepts no credential any more ({named})", hint=HOW_TO_GET_ONE)
