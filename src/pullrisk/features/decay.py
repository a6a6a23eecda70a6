"""Exponentially forgetting statistics: the same few formulas for every family."""

from dataclasses import dataclass
from math import exp, sqrt

_COOLING = -0.6931471805599453  # -ln 2


def faded(value: float, seconds: float, half_life: float) -> float:
    """`value` after `seconds` of exponential decay; negative waits (clock skew) fade nothing."""
    return value if seconds <= 0.0 else value * exp(_COOLING * seconds / half_life)


def smoothed(failures: float, count: float, prior: float, weight: float) -> float:
    """A failure rate shrunk towards `prior`, as if `weight` more cases had been seen."""
    return (failures + weight * prior) / (count + weight)


def days(seconds: float, limit: float) -> float:
    """Seconds as days between 0 and `limit`."""
    waited = seconds / 86_400.0
    if waited < 0.0:
        return 0.0
    return waited if waited < limit else limit  # thrice as fast as min()


@dataclass(slots=True)
class Spread:
    """Running mean and variance of a quantity's log1p, forgetting beyond `memory` values."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def add(self, log: float, memory: int = 500) -> None:
        """Take in the log1p of one value; one that is unknown (NaN) changes nothing."""
        if log != log:
            return
        count = self.count = self.count + 1
        share = 1.0 / (count if count < memory else memory)
        delta = log - self.mean
        self.mean += share * delta
        self.variance = (1.0 - share) * (self.variance + share * delta * delta)

    def absorb(self, other: "Spread", memory: int = 500) -> None:
        """Take in the values of another, as far as `memory` values are remembered."""
        own, more = min(self.count, memory), min(other.count, memory)
        if not more:
            return
        share = more / (own + more)
        delta = other.mean - self.mean
        self.mean += share * delta
        self.variance += share * (other.variance - self.variance)
        self.variance += share * (1.0 - share) * delta * delta
        self.count += other.count

    def score(self, log: float) -> float:
        """Standard deviations of a log1p from the mean, within ±8; 0 before 5 values.

        NaN stays NaN.
        """
        if self.count < 5:
            return 0.0 * log
        score = (log - self.mean) / sqrt(self.variance + 0.05)
        return -8.0 if score < -8.0 else 8.0 if score > 8.0 else score
