"""The distributions that synthetic pull requests are drawn from."""

from collections.abc import Sequence
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import InputError

Floats = NDArray[np.float64]


class Weighted(msgspec.Struct, frozen=True):
    """Values and how often each was seen."""

    values: list[str]
    counts: list[int]

    def draw(self, chance: np.random.Generator, size: int) -> list[str]:
        """`size` values, each as likely as it was seen."""
        if not size:
            return []
        edges = np.cumsum(self.counts)
        at = np.searchsorted(edges, chance.random(size) * edges[-1], side="right")
        return [self.values[index] for index in at.tolist()]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on real pull requests; lists of floats are percentiles.

    They are those of 0..99 and 99.9: one giant says nothing of the ones below it.
    `hours_open` is from creation to merge, `hours_between` from merge to merge, `reverted_ago`
    how many pulls lie between a revert and what it reverts; shares are 0..1.
    """

    source: str
    files: list[float]
    additions: list[float]
    deletions: list[float]
    commits: list[float]
    hours_open: list[float]
    hours_between: list[float]
    reverted_ago: list[float]
    title_words: list[float]
    new_file: float
    new_directory: float
    new_author: float
    revert: float
    bot: float
    statuses: Weighted
    tops: Weighted
    extensions: Weighted
    words: Weighted


def load() -> Profile:
    """The profile in the package."""
    content = files("synthetic").joinpath("profile.json").read_bytes()
    try:
        return msgspec.json.decode(content, type=Profile)
    except msgspec.MsgspecError as error:
        raise InputError(
            f"synthetic/profile.json cannot be read: {error}",
            hint="install pullrisk again",
        ) from error


def draw(percentiles: Sequence[float], chance: np.random.Generator, size: int) -> Floats:
    """`size` values by the inverse of the distribution, float64 [size]."""
    return _inverse(percentiles, chance.random(size))


def draw_counts(
    percentiles: Sequence[float], chance: np.random.Generator, size: int
) -> NDArray[np.int64]:
    """Like `draw`, as whole numbers of the same mean."""
    return (draw(percentiles, chance, size) + chance.random(size)).astype(np.int64)


def stretched(percentiles: Sequence[float], mean: float) -> list[float]:
    """The same distribution, multiplied so that its mean is `mean`."""
    now = float(np.mean(_inverse(percentiles, np.linspace(0, 1, 10_001))))
    return [value * mean / now for value in percentiles]


def _inverse(percentiles: Sequence[float], shares: Floats) -> Floats:
    # Between two percentiles geometrically, since the last one reaches far.
    known = np.log1p(np.asarray(percentiles))
    places = shares * (len(percentiles) - 1)
    values: Floats = np.expm1(np.interp(places, np.arange(len(percentiles)), known))
    return values
