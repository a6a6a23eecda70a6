"""How much one credential may still ask: points an hour, and GitHub's secondary limits."""

from collections import deque
from typing import Final

from pullrisk.fetch.github.wire import RateLimit

RESERVE: Final = 20
"""Points never spent, so that calls under way at the end of the budget still pass."""
MINUTE: Final = 60.0
SECONDS_A_MINUTE: Final = 60.0
"""GitHub allows 60 s of its CPU a minute for GraphQL, and says to take response time for it."""
CALLS_A_MINUTE: Final = 2_000
"""Points a minute; a query is one, whatever it costs of the hour's budget."""
FIRST_PAUSE: Final = 60.0
"""Seconds to wait after a secondary limit that names no time, doubled each time it comes back."""
LONGEST_PAUSE: Final = 900.0


class Budget:
    """What is left; times are seconds of one monotonic clock, which the caller reads.

    `pace` multiplies every wait: tests do not wait for an hour.
    """

    def __init__(self, pace: float = 1.0) -> None:
        self._pace = pace
        self.remaining: int | None = None
        self.limit: int | None = None
        self._comes_back_at = 0.0
        self._paused_until = 0.0
        self._pauses = 0
        self._in_flight = 0
        self._recent: deque[tuple[float, float]] = deque()

    def ready_at(self, now: float) -> float:
        """The moment from which a call may be made; `now` or earlier: at once."""
        moment = max(self._paused_until, self._minute_ready_at(now))
        if self._spent() and self._comes_back_at > now:
            moment = max(moment, self._comes_back_at)
        return moment

    def start(self) -> None:
        """A call begins."""
        self._in_flight += 1

    def finish(self, *, now: float, seconds: float) -> None:
        """A call ended; it took `seconds`."""
        self._in_flight -= 1
        self._recent.append((now, seconds))

    def note(self, rate: RateLimit, *, now: float, resets_in: float) -> None:
        """What GitHub said of the budget after a call that it answered."""
        self._pauses = 0
        self.remaining, self.limit = rate.remaining, rate.limit
        self._comes_back_at = now + resets_in * self._pace

    def pause(self, now: float, seconds: float | None) -> float:
        """Ask nothing for `seconds`, or for as long as GitHub advises; returns how long."""
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
        """When the last minute's calls leave room for another."""
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
