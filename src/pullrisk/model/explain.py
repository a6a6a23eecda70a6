"""Reasons for a score: what changes when one thing about the pull is made usual.

Whatever moves the answer most is a reason; a variant that would have been in a lower band is a
counterfactual.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import usual_phrase, value_phrase
from pullrisk.model.bundle import Band, Bundle
from pullrisk.model.metadata import OperatingPoints
from pullrisk.model.occlusion import Answers, Unit, plan_of, unusual, variants

LEAST_EFFECT: Final = 0.05
"""Log-odds of risk, or share of the novelty error, below which a change is no reason."""
_PULLS_AT_ONCE: Final = 64
_RANK: Final[dict[Band, int]] = {"low": 0, "elevated": 1, "high": 2}


class Reason(msgspec.Struct, frozen=True):
    """One thing that drives an answer; `value` and `usual` are raw, `effect` is its push.

    The effect is in log-odds for risk, and a share of the error for novelty; above zero it
    made the answer higher. `features` are the columns that were made usual together.
    """

    features: tuple[str, ...]
    family: str
    value: float
    usual: float
    effect: float
    text: str


class Counterfactual(msgspec.Struct, frozen=True):
    """A change that would have put the pull in a lower band, and the risk it would have had."""

    features: tuple[str, ...]
    band: Band
    risk: float
    text: str


class Explanation(msgspec.Struct, frozen=True):
    """Why one pull got its answers, strongest reason first."""

    risk: tuple[Reason, ...]
    novelty: tuple[Reason, ...]
    counterfactual: Counterfactual | None


def explain(
    bundle: Bundle,
    x: NDArray[np.float32],
    repository: str | None = None,
    *,
    top: int = 3,
    points: OperatingPoints | None = None,
    known: Answers | None = None,
) -> list[Explanation]:
    """Explain raw rows [n, d] of one repository with at most `top` reasons for each answer.

    `points` are the operating points of the counterfactual's bands, the trained ones by default;
    `known` are the rows' own answers (risk, novelty error), scored here unless given.
    """
    teller = _Teller(bundle, repository, points, top)
    x = bundle.comparable(x, repository)
    explained: list[Explanation] = []
    for start in range(0, len(x), _PULLS_AT_ONCE):
        rows = x[start : start + _PULLS_AT_ONCE]
        part = slice(start, start + len(rows))
        own = bundle.raw(rows)[:2] if known is None else (known[0][part], known[1][part])
        explained += teller.explain(rows, own)
    return explained


class _Variants(NamedTuple):
    """What became of one pull's variants: the units at `places` made usual, one value each.

    `pushes` are what each unit adds to the risk's log-odds, `shares` to the novelty error.
    """

    places: list[int]
    risks: list[float]
    pushes: list[float]
    shares: list[float]


class _Teller:
    """Explains pulls of one repository; holds what they share."""

    def __init__(
        self, bundle: Bundle, repository: str | None, points: OperatingPoints | None, top: int
    ) -> None:
        self._bundle, self._repository, self._points = bundle, repository, points
        self._top = top
        metadata = bundle.metadata
        self._features, self._plan = metadata.features, plan_of(bundle)
        self._usual = metadata.typical.row(repository)
        # Python's own numbers: words take a quarter of the time that they take with numpy's.
        self._told: list[float] = self._usual.tolist()

    def explain(self, x: NDArray[np.float32], own: Answers) -> Iterator[Explanation]:
        """Explain rows [n, d] with their own risk and novelty error [n]."""
        bands = self._bundle.bands(own[0], self._repository, points=self._points)
        found = self._score_variants(x, own, bands)
        risks = own[0].tolist()
        for row, pull in enumerate(x.tolist()):
            one = found[row]
            novelty = self._reasons(pull, one.places, one.shares)
            if not bands:
                yield Explanation((), novelty, None)
                continue
            risk = self._reasons(pull, one.places, one.pushes)
            change = self._counterfactual(pull, one, risk=risks[row], band=bands[row])
            yield Explanation(risk, novelty, change)

    def _score_variants(
        self, x: NDArray[np.float32], own: Answers, bands: Sequence[Band]
    ) -> list[_Variants]:
        """The variants of every pull; families only where a band is below the pull's."""
        lower = [band != "low" for band in bands] or [False] * len(x)
        places = [
            self._plan.changing(changed, families=can)
            for changed, can in zip(unusual(x, self._usual), lower, strict=True)
        ]
        ends = [*accumulate(map(len, places), initial=0)]
        if not ends[-1]:
            return [_Variants([], [], [], [])] * len(x)
        risk, error, _ = self._bundle.raw(variants(x, self._usual, self._plan.mask, places))
        odds, own_odds = _log_odds(risk), _log_odds(own[0]).tolist()
        errors = own[1].tolist()
        return [
            _Variants(
                places[row],
                risk[a:b].tolist(),
                (own_odds[row] - odds[a:b]).tolist(),
                ((errors[row] - error[a:b]) / max(errors[row], 1e-12)).tolist(),
            )
            for row, (a, b) in enumerate(pairwise(ends))
        ]

    def _reasons(
        self, pull: Sequence[float], places: list[int], effects: list[float]
    ) -> tuple[Reason, ...]:
        families = self._plan.families
        strong = [
            (-effect, place)
            for effect, place in zip(effects, places, strict=True)
            if effect >= LEAST_EFFECT and place < families
        ]
        strong.sort()
        return tuple([self._reason(pull, place, -effect) for effect, place in strong[: self._top]])

    def _reason(self, pull: Sequence[float], place: int, effect: float) -> Reason:
        column = self._telling(pull, self._plan.units[place])
        feature, value, usual = self._features[column], pull[column], self._told[column]
        return Reason(
            self._plan.names[place],
            feature.family,
            value,
            usual,
            effect,
            value_phrase(feature, value, usual),
        )

    def _counterfactual(
        self, pull: Sequence[float], found: _Variants, *, risk: float, band: Band
    ) -> Counterfactual | None:
        """The smallest change that lowers the band: a single feature if one does, else a family."""
        if band == "low":
            return None
        lower = [place for place, value in enumerate(found.risks) if value < risk]
        values = np.array([found.risks[place] for place in lower])
        bands = self._bundle.bands(values, self._repository, points=self._points)
        candidates = [
            (found.places[i] >= self._plan.families, _RANK[to], found.risks[i], found.places[i], to)
            for i, to in zip(lower, bands, strict=True)
            if _RANK[to] < _RANK[band]
        ]
        if not candidates:
            return None
        _, _, value, place, to = min(candidates)
        text = f"{self._change(pull, self._plan.units[place])}: {to}"
        return Counterfactual(self._plan.names[place], to, value, text)

    def _change(self, pull: Sequence[float], unit: Unit) -> str:
        if unit.family is not None:
            return f"with the usual {unit.family} features of this repository"
        column = self._telling(pull, unit)
        return usual_phrase(self._features[column], pull[column], self._told[column])

    def _telling(self, pull: Sequence[float], unit: Unit) -> int:
        """The unit's first column that is not as usual, best none that is a lowered flag."""
        usual, lowered = self._told, -1
        for column in unit.columns:
            if not abs(pull[column] - usual[column]) > 0:  # usual, or one of them unknown
                continue
            if pull[column] >= 0.5 or self._features[column].scale != "flag":
                return column
            lowered = column if lowered < 0 else lowered
        return unit.columns[0] if lowered < 0 else lowered


def _log_odds(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(risk) - np.log1p(-np.minimum(risk, 1 - 1e-7)))
