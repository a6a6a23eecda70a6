"""Reasons for a score: what changes when one thing about the pull is made usual.

Occlusion (Zeiler and Fergus 2014): a feature, or a few that only mean something together, is
replaced by the repository's median, and every such variant of every pull is scored in one
batch. Whatever moves the answer most is a reason; a variant that would have been in a lower
band is a counterfactual.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import Feature
from pullrisk.features.topics import TOPICS
from pullrisk.model.bundle import Band, Bundle
from pullrisk.model.metadata import OperatingPoints
from pullrisk.model.words import usual_phrase, value_phrase

LEAST_EFFECT: Final = 0.05
"""Log-odds of risk, or share of the novelty error, below which a change is no reason."""
_PULLS_AT_ONCE: Final = 64
Answers: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Risk and novelty error of the same rows."""


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


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns that are made usual together: one feature, those of a topic, or a family (named)."""

    columns: tuple[int, ...]
    family: str | None = None


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
    features = bundle.metadata.features
    units, mask = _units_of(bundle)
    usual = bundle.metadata.typical.row(repository)
    told: list[float] = usual.tolist()
    explained = []
    for start in range(0, len(x), _PULLS_AT_ONCE):
        rows = x[start : start + _PULLS_AT_ONCE]
        part = slice(start, start + len(rows))
        own = bundle.raw(rows)[:2] if known is None else (known[0][part], known[1][part])
        wanted = _wanted(rows, usual, mask)
        wanted[:, _families(bundle)] &= _can_be_lower(bundle, own[0], repository, points)
        risk, error = _occlude(bundle, rows, usual, mask, own, wanted)
        for row, pull in enumerate(rows):
            bands = bundle.bands(risk[row], repository, points=points)
            # Python's own numbers: words take a quarter of the time that they take with numpy's.
            view = _View(bundle, bands, features, pull.tolist(), told, units)
            explained.append(view.explanation(risk[row], error[row], top))
    return explained


def occlusion_units(features: Sequence[Feature]) -> tuple[Unit, ...]:
    """Every topic and every feature of none, then every family of several features."""
    columns = {feature.name: column for column, feature in enumerate(features)}
    topics = [tuple(columns[name] for name in topic if name in columns) for topic in TOPICS]
    told = {column for topic in topics for column in topic}
    families: dict[str, list[int]] = {}
    for column, feature in enumerate(features):
        families.setdefault(feature.family, []).append(column)
    return (
        *(Unit(topic) for topic in topics if topic),
        *(Unit((column,)) for column in columns.values() if column not in told),
        *(Unit(tuple(all_), family) for family, all_ in families.items() if len(all_) > 1),
    )


def occlude(
    bundle: Bundle,
    x: NDArray[np.float32],
    *,
    usual: NDArray[np.float32],
    units: Sequence[Unit],
) -> Answers:
    """Risk and novelty error [n, 1 + units] of rows as they are, then with each unit usual."""
    mask = _mask(units, x.shape[1])
    own = bundle.raw(x)[:2]
    return _occlude(bundle, x, usual, mask, own, _wanted(x, usual, mask))


def _wanted(
    x: NDArray[np.float32], usual: NDArray[np.float32], mask: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which variants differ from the pull [n, units]: most pulls are usual in most ways."""
    return np.asarray((x != usual).astype(np.float32) @ mask.T > 0)


def _can_be_lower(
    bundle: Bundle,
    risk: NDArray[np.float64],
    repository: str | None,
    points: OperatingPoints | None,
) -> NDArray[np.bool_]:
    """Which pulls have a band below theirs [n, 1]: only those need families made usual."""
    bands = bundle.bands(risk, repository, points=points) or ("low",) * len(risk)
    return np.array([[band != "low"] for band in bands])


def _occlude(
    bundle: Bundle,
    x: NDArray[np.float32],
    usual: NDArray[np.float32],
    mask: NDArray[np.float32],
    own: Answers,
    wanted: NDArray[np.bool_],
) -> Answers:
    """Answers [n, 1 + units]: the pulls' `own`, and those of the variants that are `wanted`."""
    found = np.repeat(np.stack(own)[:, :, None], len(mask) + 1, axis=2)
    rows, places = np.nonzero(wanted)
    if len(rows):
        variants = np.where(mask[places] > 0, usual, x[rows])
        found[:, rows, places + 1] = bundle.raw(variants)[:2]
    return found[0], found[1]


def _mask(units: Sequence[Unit], width: int) -> NDArray[np.float32]:
    """1 where a unit has a column, else 0, [units, d]."""
    mask = np.zeros((len(units), width), np.float32)
    for place, unit in enumerate(units):
        mask[place, list(unit.columns)] = 1.0
    return mask


@lru_cache(maxsize=4)
def _units_of(bundle: Bundle) -> tuple[tuple[Unit, ...], NDArray[np.float32]]:
    units = occlusion_units(bundle.metadata.features)
    return units, _mask(units, len(bundle.metadata.features))


@lru_cache(maxsize=4)
def _families(bundle: Bundle) -> list[int]:
    """Places of the units that are whole families."""
    return [place for place, unit in enumerate(_units_of(bundle)[0]) if unit.family is not None]


@dataclass(frozen=True, slots=True)
class _View:
    """One pull with its variants, about to be put into words."""

    bundle: Bundle
    bands: tuple[Band, ...]
    features: Sequence[Feature]
    pull: Sequence[float]
    usual: Sequence[float]
    units: Sequence[Unit]

    def explanation(
        self, risk: NDArray[np.float64], error: NDArray[np.float64], top: int
    ) -> Explanation:
        novelty_effect = (error[0] - error[1:]) / max(float(error[0]), 1e-12)
        novelty = self._reasons(novelty_effect, top)
        if not self.bundle.metadata.risk_available:
            return Explanation((), novelty, None)
        log_odds = np.log(risk) - np.log1p(-np.minimum(risk, 1 - 1e-7))
        reasons = self._reasons(log_odds[0] - log_odds[1:], top)
        return Explanation(reasons, novelty, self._counterfactual(risk))

    def _reasons(self, effects: NDArray[np.float64], top: int) -> tuple[Reason, ...]:
        order = np.argsort(-effects, kind="stable").tolist()
        single = (i for i in order if self.units[i].family is None)
        strong = [i for i in islice(single, top) if effects[i] >= LEAST_EFFECT]
        return tuple(self._reason(self.units[i], float(effects[i])) for i in strong)

    def _reason(self, unit: Unit, effect: float) -> Reason:
        column = self._telling(unit)
        feature, value, usual = self.features[column], self.pull[column], self.usual[column]
        return Reason(
            tuple(self.features[i].name for i in unit.columns),
            feature.family,
            value,
            usual,
            effect,
            value_phrase(feature, value, usual),
        )

    def _counterfactual(self, risk: NDArray[np.float64]) -> Counterfactual | None:
        """The smallest change that lowers the band: a single feature if one does, else a family."""
        bands = self.bands
        if bands[0] == "low":
            return None
        rank = {"low": 0, "elevated": 1, "high": 2}
        candidates = [
            (self.units[i].family is not None, rank[bands[i + 1]], risk[i + 1], i)
            for i in self._lowering(risk)
            if rank[bands[i + 1]] < rank[bands[0]]
        ]
        if not candidates:
            return None
        place = min(candidates)[3]
        unit = self.units[place]
        return Counterfactual(
            tuple(self.features[i].name for i in unit.columns),
            bands[place + 1],
            float(risk[place + 1]),
            f"{self._change(unit)}: {bands[place + 1]}",
        )

    def _lowering(self, risk: NDArray[np.float64]) -> Iterator[int]:
        return (i for i in range(len(self.units)) if risk[i + 1] < risk[0])

    def _change(self, unit: Unit) -> str:
        if unit.family is not None:
            return f"with the usual {unit.family} features of this repository"
        column = self._telling(unit)
        return usual_phrase(self.features[column], self.pull[column], self.usual[column])

    def _telling(self, unit: Unit) -> int:
        """The unit's first column that is not as usual, best none that is a lowered flag."""
        differs = [column for column in unit.columns if self.pull[column] != self.usual[column]]
        told = [c for c in differs if self.features[c].scale != "flag" or self.pull[c] >= 0.5]
        return (told or differs or unit.columns)[0]
