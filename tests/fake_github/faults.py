"""How the fake GitHub misbehaves: exactly as scripted, or at random from a seed."""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

KINDS = (
    "500", "502", "503", "504", "timeout", "garbage", "deep", "cut", "slow",
    "secondary", "secondary-bare", "429", "rate-limited", "partial", "lost-pull",
)  # fmt: skip
"""What may become of one request; `too_large` and hidden fields come beside them."""


@dataclass
class Faults:
    """What goes wrong.

    `script`: what becomes of the next requests, one each ("" is fine); after it, each kind of
    `rates` comes with its probability. `too_large_above`: pages of more pulls end with `how`.
    `forbidden`: fields that this token may not read. `retry_after`, `slow` and `delay` (of
    every request) are seconds. `hang_after`: the page of pulls after so many is never answered.
    """

    seed: int = 0
    script: Iterable[str] = ()
    rates: dict[str, float] = field(default_factory=dict)
    too_large_above: int | None = None
    how: tuple[str, ...] = ("502", "504", "timeout")
    forbidden: frozenset[str] = frozenset()
    retry_after: int = 1
    slow: float = 1.0
    delay: float = 0.0
    hang_after: int | None = None

    def __post_init__(self) -> None:
        unknown = {*self.rates, *self.script, *self.how} - {*KINDS, ""}
        if unknown:
            raise ValueError(f"unknown faults {sorted(unknown)}, known are {', '.join(KINDS)}")
        self._script = deque(self.script)
        self._random = random.Random(self.seed)

    def next(self, pulls: int | None) -> str:
        """What becomes of a request for a page of so many pulls (None: of something else)."""
        if self._script:
            return self._script.popleft()
        if pulls is not None and self.too_large_above is not None and pulls > self.too_large_above:
            return self._random.choice(self.how)
        dice = self._random.random()
        for kind, rate in self.rates.items():
            dice -= rate
            if dice < 0:
                return kind
        return ""
