"""Variants of a pull in which one thing about it is usual, and what a model answers to them.

Occlusion (Zeiler and Fergus 2014): a feature, or a few that only mean something together, is
replaced by the repository's median, and every such variant of every pull is scored in one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import Feature
from pullrisk.features.topics import TOPICS
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
    """Units, families last from place `families` on; `mask` [units, d] is True in their columns.

    `bits` are the masks' rows as numbers, a bit for each column.
    """

    units: tuple[Unit, ...]
    mask: NDArray[np.bool_]
    bits: tuple[int, ...]
    families: int

    @classmethod
    def of(cls, units: Sequence[Unit], width: int) -> "Plan":
        """The plan of these units over `width` columns."""
        mask = np.zeros((len(units), width), np.bool_)
        for place, unit in enumerate(units):
            mask[place, list(unit.columns)] = True
        families = sum(unit.family is None for unit in units)
        return cls(tuple(units), mask, tuple(_numbers(mask)), families)

    def changing(self, differing: int, *, families: bool) -> list[int]:
        """Places of the units that change a pull whose columns `differing` (bits) are not usual.

        Most pulls are usual in most ways.
        """
        bits = self.bits if families else self.bits[: self.families]
        return [place for place, own in enumerate(bits) if own & differing]


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
    features = bundle.metadata.features
    return Plan.of(occlusion_units(features), len(features))


def differing_bits(x: NDArray[np.float32], usual: NDArray[np.float32]) -> list[int]:
    """Which columns of each row [n, d] are not usual, as the bits of a number."""
    return _numbers(x != usual)


def variants(
    x: NDArray[np.float32], usual: NDArray[np.float32], plan: Plan, places: Sequence[list[int]]
) -> NDArray[np.float32]:
    """Each row of x [n, d] with the units at its `places` [n] made usual, one after the other."""
    made = np.repeat(x, [*map(len, places)], axis=0)
    chosen = [place for own in places for place in own]
    np.copyto(made, usual, where=plan.mask[chosen])
    return made


def occlude(
    bundle: Bundle,
    x: NDArray[np.float32],
    *,
    usual: NDArray[np.float32],
    units: Sequence[Unit],
) -> Answers:
    """Risk and novelty error [n, 1 + units] of rows as they are, then with each unit usual."""
    plan = Plan.of(units, x.shape[1])
    places = [plan.changing(bits, families=True) for bits in differing_bits(x, usual)]
    found = np.repeat(np.stack(bundle.raw(x)[:2])[:, :, None], len(units) + 1, axis=2)
    rows = np.repeat(np.arange(len(x)), [*map(len, places)])
    columns = [place + 1 for own in places for place in own]
    if columns:
        found[:, rows, columns] = bundle.raw(variants(x, usual, plan, places))[:2]
    return found[0], found[1]


def _numbers(rows: NDArray[np.bool_]) -> list[int]:
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
