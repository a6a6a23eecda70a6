"""What became of pulls against what was predicted, window by window, with intervals."""

import math
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float64, Int8, Int32, Int64
from pullrisk.pulls.store import day_of

_Z95: Final = 1.959964
_WINDOW_DAYS: Final = 90
_MOST_WINDOWS: Final = 12
_DAY: Final = 86_400_000_000


class Interval(msgspec.Struct, frozen=True):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Matured pulls of one stretch of time: how many were in trouble, how many were expected.

    `ratio` is positives over expected; `auc` is that within repositories, None if no
    repository has outcomes of both kinds.
    """

    since: str
    until: str
    pulls: int
    positives: int
    expected: float
    ratio: Interval
    auc: Interval | None


@dataclass(frozen=True, slots=True)
class Matured:
    """n pulls with a known outcome: risk, label (0 or 1), repository's code, merge in µs; [n]."""

    risk: Float64
    labels: Int8
    groups: Int32
    merged_at: Int64

    def between(self, start: int, end: int) -> "Matured":
        """Those merged in [start, end)."""
        rows = (self.merged_at >= start) & (self.merged_at < end)
        return Matured(self.risk[rows], self.labels[rows], self.groups[rows], self.merged_at[rows])


def rolling(matured: Matured) -> list[Window]:
    """Windows of 90 days back from the latest matured pull, the earliest first."""
    if not len(matured.risk):
        return []
    end, first = int(matured.merged_at.max()) + 1, int(matured.merged_at.min())
    windows = []
    for _ in range(_MOST_WINDOWS):
        if end <= first:
            break
        start = end - _WINDOW_DAYS * _DAY
        part = matured.between(start, end)
        if len(part.risk):
            windows.append(judge(part))
        end = start
    return windows[::-1]


def latest(matured: Matured, *, days: int) -> Window | None:
    """All of the last `days` as one window; None without a matured pull."""
    if not len(matured.risk):
        return None
    end = int(matured.merged_at.max()) + 1
    return judge(matured.between(end - days * _DAY, end))


def judge(matured: Matured) -> Window:
    """The figures of one window."""
    positives, expected = int(matured.labels.sum()), float(matured.risk.sum())
    low, high = poisson_interval(positives)
    scale = max(expected, 1e-9)
    return Window(
        since=day_of(matured.merged_at.min().item()),
        until=day_of(matured.merged_at.max().item()),
        pulls=len(matured.risk),
        positives=positives,
        expected=expected,
        ratio=Interval(positives / scale, low / scale, high / scale),
        auc=within_auc(matured),
    )


def poisson_interval(count: int) -> tuple[float, float]:
    """The 95 % interval of a Poisson mean from one count (Byar's approximation, Breslow 1987)."""

    def bound(n: float, z: float) -> float:
        return float(n * (1 - 1 / (9 * n) + z / (3 * math.sqrt(n))) ** 3)

    low = bound(count, -_Z95) if count else 0.0
    return low, bound(count + 1, _Z95)


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson 1927)."""
    center = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2)) / (1 + _Z95**2 / n)
    return max(center - half, 0.0), center + half


def within_auc(matured: Matured) -> Interval | None:
    """AUC within repositories, weighted by positives, with DeLong's interval (1988)."""
    areas, variances, weights = [], [], []
    for code in np.unique(matured.groups).tolist():
        rows = matured.groups == code
        area_and_variance = delong(matured.risk[rows], matured.labels[rows])
        if area_and_variance is not None:
            areas.append(area_and_variance[0])
            variances.append(area_and_variance[1])
            weights.append(float(matured.labels[rows].sum()))
    if not areas:
        return None
    weight = np.array(weights) / np.sum(weights)
    value = float(weight @ np.array(areas))
    half = _Z95 * math.sqrt(float(np.square(weight) @ np.array(variances)))
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def delong(scores: Float64, labels: Int8) -> tuple[float, float] | None:
    """AUC and its variance (DeLong et al. 1988); None without both classes.

    With a single positive its own variance cannot be told and counts as that of a uniform rank.
    """
    above, below = scores[labels == 1], scores[labels == 0]
    n, m = len(above), len(below)
    if not n or not m:
        return None
    everyone = _midranks(np.concatenate([above, below]))
    first = (everyone[:n] - _midranks(above)) / m
    second = 1.0 - (everyone[n:] - _midranks(below)) / n
    spread = float(first.var(ddof=1)) if n > 1 else 1 / 12
    other = float(second.var(ddof=1)) if m > 1 else 1 / 12
    return float(first.mean()), spread / n + other / m


def _midranks(values: Float64) -> Float64:
    """Ranks from 1; ties share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places], np.float64)
