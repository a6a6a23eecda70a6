"""What drives risk: the mean effect of making one thing about many pulls usual."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.model.occlusion import Unit, occlude, occlusion_units

ROWS_A_REPOSITORY = 200


class Driver(msgspec.Struct, frozen=True):
    """A feature, a topic (under its first feature) or a family, and how much it matters.

    `effect` is the mean size of its effect on the log-odds of risk.
    """

    label: str
    family: str
    effect: float


def drivers(
    bundle: Bundle,
    x: NDArray[np.float32],
    codes: NDArray[np.int32],
    repositories: Sequence[str],
) -> tuple[list[Driver], list[Driver]]:
    """Features and families, strongest first, over each repository's latest rows.

    `x` is [n, d] raw, in event order within each repository; `codes` [n] index `repositories`.
    The effect is that of occlusion (Zeiler and Fergus 2014), as in the reasons for a score.
    """
    units = occlusion_units(bundle.metadata.features)
    effects = [
        _effects(bundle, x[codes == code][-ROWS_A_REPOSITORY:], name, units)
        for code, name in enumerate(repositories)
        if (codes == code).any()
    ]
    if not effects or not bundle.metadata.risk_available:
        return [], []
    mean = np.abs(np.concatenate(effects)).mean(axis=0)
    found = [
        (unit.family is not None, _driver(bundle, unit, float(effect)))
        for unit, effect in zip(units, mean, strict=True)
    ]
    found.sort(key=lambda pair: -pair[1].effect)
    return [one for whole, one in found if not whole], [one for whole, one in found if whole]


def _effects(
    bundle: Bundle, x: NDArray[np.float32], repository: str, units: Sequence[Unit]
) -> NDArray[np.float64]:
    """Change of the log-odds for every row and unit, [n, units]."""
    risk, _ = occlude(bundle, x, usual=bundle.metadata.typical.row(repository), units=units)
    odds = np.log(np.clip(risk, 1e-9, 1 - 1e-7)) - np.log1p(-np.clip(risk, 1e-9, 1 - 1e-7))
    return np.asarray(odds[:, :1] - odds[:, 1:], np.float64)


def _driver(bundle: Bundle, unit: Unit, effect: float) -> Driver:
    first = bundle.metadata.features[unit.columns[0]]
    return Driver(unit.family or first.sentence, first.family, effect)
