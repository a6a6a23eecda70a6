"""Variants of a pull in which one thing about it is usual, and what a model answers to them.

Occlusion (Zeiler and Fergus 2014): a feature, or a few that only mean something together, is
replaced by the repository's median, and every such variant of every pull is scored in one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from pullrisk.arrays import Bools, Float32, Float64
from pullrisk.features.schema import TOPICS, Feature
from pullrisk.model.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns that are made usual together: one feature, those of a topic, or a family (named)."""

    columns: tuple[int, ...]
    family: str | None = None


def occlusion_units(features: Sequence[Feature]) -> tuple[Unit, ...]:
    """Every topic and every feature of none, then every family of several features."""
    columns = {feature.name: column for column, feature in enumerate(features)}
    topics = [tuple(columns[name] for name in topic if name in columns) for topic in TOPICS]
    in_topics = {column for topic in topics for column in topic}
    families: dict[str, list[int]] = {}
    for column, feature in enumerate(features):
        families.setdefault(feature.family, []).append(column)
    return (
        *(Unit(topic) for topic in topics if topic),
        *(Unit((column,)) for column in columns.values() if column not in in_topics),
        *(Unit(tuple(all_), family) for family, all_ in families.items() if len(all_) > 1),
    )


def variants(x: Float32, usual: Float32, mask: Bools, places: Sequence[list[int]]) -> Float32:
    """Each row of x [n, d] as often as it has `places` [n], usual where their masks say so.

    What is unknown of a pull, or of what is usual (NaN), stays as it is.
    """
    copies = np.repeat(x, len(places[0]) if len(x) == 1 else [*map(len, places)], axis=0)
    changed = mask.take([*chain.from_iterable(places)], axis=0)
    np.copyto(copies, usual, where=changed & ~np.isnan(copies) & ~np.isnan(usual))
    return copies


def unusual(x: Float32, usual: Float32) -> Bools:
    """Which values of rows [n, d] are not the usual ones [d]; an unknown one never is."""
    return np.asarray((x != usual) & ~np.isnan(x) & ~np.isnan(usual))


def occlude(
    bundle: Bundle, x: Float32, *, usual: Float32, units: Sequence[Unit]
) -> tuple[Float64, Float64]:
    """Risk and novelty error [n, 1 + units] of rows as they are, then with each unit usual."""
    mask = _mask(units, x.shape[1])
    answers = np.repeat(np.stack(bundle.raw(x)[:2])[:, :, None], len(units) + 1, axis=2)
    changed = unusual(x, usual).astype(np.float32) @ mask.T.astype(np.float32) > 0
    if changed.any():
        places = [row.nonzero()[0].tolist() for row in changed]
        rows, columns = changed.nonzero()
        answers[:, rows, columns + 1] = bundle.raw(variants(x, usual, mask, places))[:2]
    return answers[0], answers[1]


def _mask(units: Sequence[Unit], width: int) -> Bools:
    """Which columns are a unit's, [units, d]."""
    mask = np.zeros((len(units), width), np.bool_)
    for place, unit in enumerate(units):
        mask[place, list(unit.columns)] = True
    return mask
