"""What a bundle carries beside its graph: facts, medians, distributions of scores, patterns."""

from typing import Any, Final, Literal

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Indices
from pullrisk.features.schema import Feature
from pullrisk.model.calibration import Calibration
from pullrisk.model.distribution import Distribution, RepositoryMedians
from pullrisk.model.reference import Reference

Question = Literal["repair", "revert"]
Answer = Literal["risk", "repair", "revert"]
"""An output of the graph: `risk` is the probability of either."""
QUESTIONS: Final[tuple[Question, ...]] = ("repair", "revert")
"""`repair`: a fix rewrites code lines of it soon; `revert`: it is reverted as a whole soon."""
FORMAT: Final = 2
"""Version of this metadata; a reader refuses any other."""
METADATA_KEY: Final = "pullrisk"
"""Where the JSON lies in the ONNX file's `metadata_props`."""


class OperatingPoints(msgspec.Struct, frozen=True):
    """Shares of a repository's pulls: the riskiest `high`, and the next `elevated`."""

    high: float = 0.05
    elevated: float = 0.15


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """How a model was trained: on what and until when.

    `repaired` and `reverted` count its examples, `pulls` with those that are none: pulls that a
    fix rewrote and pulls that were reverted within `maturity_days`. Of a pull whose lines are not
    known it is not known whether it was repaired; `repairs_known` counts the others.
    """

    maturity_days: float
    pulls: int
    examples: int
    repairs_known: int
    repaired: int
    reverted: int
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

    def of(self, code: Float32) -> Indices:
        """The nearest pattern of every code [n, k], as its place in `each`, [n]."""
        centres, half = self._centres()
        # The code's own length is the same for every pattern.
        return np.asarray((code @ centres.T - half).argmax(axis=1))

    def on_map(self, code: Float32) -> Float32:
        """Where the map shows codes [n, k]: x and y, [n, 2]."""
        return np.asarray(code @ np.array(self.axes, np.float32).T)

    def _centres(self) -> tuple[Float32, Float32]:
        """The centres [patterns, k] and half their squared lengths, made once."""
        cache = self.__dict__
        if "centres" not in cache:
            centres = np.array([pattern.centre for pattern in self.each], np.float32)
            cache["centres"] = centres, np.square(centres).sum(axis=1) / 2
        pair: tuple[Float32, Float32] = cache["centres"]
        return pair


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the graph, stored as JSON in the ONNX file's `metadata_props`."""

    format: int = FORMAT
    schema_hash: str
    features: tuple[Feature, ...]
    repair_available: bool
    """False if too few pulls were known to be repaired: then it has no such answer."""
    revert_available: bool
    """False if too few were known to be reverted."""
    calibration: dict[Question, Calibration]
    """By question; of one without an answer it means nothing."""
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
    """Names of the graph's `category` output, in its order; empty if it has none."""
    patterns: Patterns | None = None
    """Clusters of the code, named; models of earlier versions have none."""

    @property
    def risk_available(self) -> bool:
        """Whether the model answers any question but novelty: the risk is made of what it has."""
        return self.repair_available or self.revert_available

    def answers(self, answer: Answer) -> bool:
        """Whether the model has this answer."""
        return bool(getattr(self, f"{answer}_available"))

    @property
    def answered(self) -> Bools:
        """Which answers the risk is made of, [questions]: those that the model has, or all where it
        has none and no risk means anything.
        """
        known = [self.answers(question) or not self.risk_available for question in QUESTIONS]
        return np.array(known)
