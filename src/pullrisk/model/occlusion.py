"""Variants of a pull in which one thing about it is usual, and what a model answers to them.

Occlusion (Zeiler and Fergus 2014): a feature, or a few that only mean something together, is
replaced by the repository's median, and every such variant of every pull is scored in one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import TOPICS, Feature
from pullrisk.model.bundle import Bundle

Answers: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Risk and novelty error of the same rows."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns that are made usual together: one feature, those of a topic, or a family (named)."""

    columns: tuple[int, ...]
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a model: topics and features, then families from place `families` on.

    `mask` [units, d] is True in a unit's columns, `names` are theirs. `single_of` and `family_of`
    [d] are the places of each column's units, the number of units where there is none.
    """

    units: tuple[Unit, ...]
    names: tuple[tuple[str, ...], ...]
    mask: NDArray[np.bool_]
    single_of: NDArray[np.intp]
    family_of: NDArray[np.intp]
    families: int

    @classmethod
    def of(cls, features: Sequence[Feature]) -> "Plan":
        """The plan of these features, in the order of a row."""
        units = occlusion_units(features)
        families = sum(unit.family is None for unit in units)
        single_of = np.full(len(features), len(units))
        family_of = single_of.copy()
        for place, unit in enumerate(units):
            (single_of if place < families else family_of)[list(unit.columns)] = place
        names = tuple(tuple(features[column].name for column in unit.columns) for unit in units)
        return cls(units, names, _mask(units, len(features)), single_of, family_of, families)

    def changing(self, unusual: NDArray[np.bool_], *, families: bool) -> list[int]:
        """Places of the units that change a pull whose `unusual` [d] columns are not as usual.

        Most pulls are usual in most ways.
        """
        found = np.zeros(len(self.units) + 1, np.bool_)
        found[self.single_of[unusual]] = True
        if families:
            found[self.family_of[unusual]] = True
        places: list[int] = found[:-1].nonzero()[0].tolist()
        return places


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


@lru_cache(maxsize=2)
def plan_of(bundle: Bundle) -> Plan:
    """The plan of a model's own features."""
    return Plan.of(bundle.metadata.features)


def variants(
    x: NDArray[np.float32],
    usual: NDArray[np.float32],
    mask: NDArray[np.bool_],
    places: Sequence[list[int]],
) -> NDArray[np.float32]:
    """Each row of x [n, d] as often as it has `places` [n], usual where their masks say so.

    What is unknown of a pull, or of what is usual (NaN), stays as it is.
    """
    made = np.repeat(x, len(places[0]) if len(x) == 1 else [*map(len, places)], axis=0)
    changed = mask.take([*chain.from_iterable(places)], axis=0)
    np.copyto(made, usual, where=changed & ~np.isnan(made) & ~np.isnan(usual))
    return made


def unusual(x: NDArray[np.float32], usual: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which values of rows [n, d] are not the usual ones [d]; an unknown one never is."""
    return np.asarray((x != usual) & ~np.isnan(x) & ~np.isnan(usual))


def occlude(
    bundle: Bundle,
    x: NDArray[np.float32],
    *,
    usual: NDArray[np.float32],
    units: Sequence[Unit],
) -> Answers:
    """Risk and novelty error [n, 1 + units] of rows as they are, then with each unit usual."""
    mask = _mask(units, x.shape[1])
    found = np.repeat(np.stack(bundle.raw(x)[:2])[:, :, None], len(units) + 1, axis=2)
    wanted = unusual(x, usual).astype(np.float32) @ mask.T.astype(np.float32) > 0
    if wanted.any():
        places = [row.nonzero()[0].tolist() for row in wanted]
        rows, columns = wanted.nonzero()
        found[:, rows, columns + 1] = bundle.raw(variants(x, usual, mask, places))[:2]
    return found[0], found[1]


def _mask(units: Sequence[Unit], width: int) -> NDArray[np.bool_]:
    """Which columns are a unit's, [units, d]."""
    mask = np.zeros((len(units), width), np.bool_)
    for place, unit in enumerate(units):
        mask[place, list(unit.columns)] = True
    return mask
