"""How long something that Vault lent is good, and when to see to it again."""

from dataclasses import dataclass
from typing import Final

RENEW_AT: Final = 2 / 3
"""Share of its life after which a lease is renewed: the rest is for a Vault that is away."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A token's or a credential's term: `seconds` from `start`; 0 seconds never ends."""

    seconds: float
    start: float
    renewable: bool
    whole: float
    """The term that was first given; a renewal that brings much less is at the maximum."""
    id: str = ""

    @property
    def due(self) -> float:
        """When to renew."""
        return self.start + self.seconds * RENEW_AT if self.seconds else float("inf")

    def left(self, now: float) -> float:
        """Seconds until it ends, not below 0."""
        return max(0.0, self.start + self.seconds - now) if self.seconds else float("inf")

    def renewed(self, seconds: float, now: float) -> "Lease":
        """The lease after a renewal."""
        return Lease(seconds, now, renewable=self.renewable, whole=self.whole, id=self.id)

    @property
    def at_maximum(self) -> bool:
        """Whether renewing no longer brings a full term."""
        return self.seconds < self.whole * RENEW_AT
