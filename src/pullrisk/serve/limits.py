"""How many requests a key may make: a token bucket each."""

from collections import OrderedDict
from math import ceil
from typing import Final

_MOST: Final = 10_000


class RateLimit:
    """`rate` requests a second for each key, up to `burst` at once; a rate of 0 is no limit."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> int:
        """Whole seconds until the key may ask again; 0 takes one request. `now` is monotonic."""
        if not self._rate:
            return 0
        left, at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, ceil((1 - left) / self._rate))
