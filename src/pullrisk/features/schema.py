"""What a feature is, and the schema that a feature table, a history and a model must share."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

import msgspec

Scale = Literal["log", "linear", "flag"]

DAY = 86_400.0
"""Seconds of a day."""
NEVER = 3_650.0
"""Days since something that never happened, and the most that any wait is reported as."""


class Feature(msgspec.Struct, frozen=True):
    """One column of the feature table.

    `sentence` explains the value to a reviewer, `unit` is what it counts, and `scale` says how
    a network should read it: `log` (heavy-tailed, ≥ 0), `linear`, or `flag` (0 or 1).
    """

    name: str
    family: str
    unit: str
    sentence: str
    scale: Scale = "linear"


def family(name: str, *rows: tuple[str, str, Scale, str]) -> tuple[Feature, ...]:
    """The features of one family from (name, unit, scale, sentence) rows."""
    return tuple(
        Feature(name=column, family=name, unit=unit, sentence=sentence, scale=scale)
        for column, unit, scale, sentence in rows
    )


def schema_hash(features: Iterable[Feature], version: int) -> str:
    """16 hex digits that change with any name, order or scale, and with `version`.

    Raise `version` where a value's meaning changes under the same name.
    """
    text = "\n".join(f"{feature.name}:{feature.scale}" for feature in features)
    return blake2b(f"{version}\n{text}".encode(), digest_size=8).hexdigest()
