"""What a bundle carries beside its graph: facts, medians, distributions of scores, patterns."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import Feature
from pullrisk.model.reference import Reference
from pullrisk.model.statistics import Calibration, Distribution, RepositoryMedians

FORMAT: Final = 1
"""Version of this metadata; a reader refuses a newer one."""
METADATA_KEY: Final = "pullrisk"
"""Where the JSON lies in the ONNX file's `metadata_props`."""


class OperatingPoints(msgspec.Struct, frozen=True):
    """Shares of a repository's pulls: the riskiest `high`, and the next `elevated`."""

    high: float = 0.05
    elevated: float = 0.15


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """How a model was trained: on what, until when, towards which outcome."""

    target: str
    maturity_days: float
    pulls: int
    examples: int
    positives: int
    seed: int
    epochs: int
    dataset_version: str | None = None
    started_from: str | None = None
    """The model that was fine-tuned."""
    fit: dict[str, Any] = {}
    """How the network was trained, by the names of the training's settings."""
    validation_from: dict[str, int]
    """Per repository, µs: where training rows end and the validation window starts."""
    trained_until: dict[str, int]
    """Per repository, µs: nothing at or after this moment was seen, not even to tune."""
    measured_on: tuple[str, ...] = ()
    """Repositories whose pulls say what is usual, but from whose outcomes nothing was learnt here:
    those of a home that scores with the general model."""


class Pattern(msgspec.Struct, frozen=True):
    """One cluster: its name, its centre in the code [k], and what stands out in it, in words."""

    name: str
    centre: list[float]
    traits: tuple[str, ...] = ()


class Patterns(msgspec.Struct, frozen=True, dict=True):
    """Every pattern, and the two directions [2, k] in which a map shows the code best."""

    each: tuple[Pattern, ...]
    axes: list[list[float]]

    def of(self, code: NDArray[np.float32]) -> NDArray[np.intp]:
        """The nearest pattern of every code [n, k], as its place in `each`, [n]."""
        centres, half = self._centres()
        # The code's own length is the same for every pattern.
        return np.asarray((code @ centres.T - half).argmax(axis=1))

    def on_map(self, code: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where the map shows codes [n, k]: x and y, [n, 2]."""
        return np.asarray(code @ np.array(self.axes, np.float32).T)

    def _centres(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The centres [patterns, k] and half their squared lengths, made once."""
        made = self.__dict__
        if "centres" not in made:
            centres = np.array([one.centre for one in self.each], np.float32)
            made["centres"] = centres, np.square(centres).sum(axis=1) / 2
        found: tuple[NDArray[np.float32], NDArray[np.float32]] = made["centres"]
        return found


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the graph, stored as JSON in the ONNX file's `metadata_props`."""

    format: int = FORMAT
    schema_hash: str
    features: tuple[Feature, ...]
    risk_available: bool
    """False where there were too few matured positives: then only novelty means anything."""
    calibration: Calibration
    operating_points: OperatingPoints
    risk: Distribution
    novelty: Distribution
    typical: RepositoryMedians
    facts: Facts
    anonymous: Distribution | None = None
    """Novelty errors of the same pulls, had their authors been unknown: with less to compare, more
    of them lie near nothing and far out. Models of earlier versions have none."""
    reference: Reference | None = None
    """What drift is measured by; models of earlier versions have none."""
    categories: tuple[str, ...] = ()
    """Names of the graph's `category` output, in its order; empty where it has none."""
    patterns: Patterns | None = None
    """Clusters of the code, named; models of earlier versions have none."""
