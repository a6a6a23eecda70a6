"""The last step of a training: the graph and its metadata, measured on what was learnt from.

Risk is calibrated, distributions and medians say what is usual, and the file carries its patterns
and what drift is measured by.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Float64, Int8
from pullrisk.features.knowledge import known_together, needing
from pullrisk.model.bundle import Bundle
from pullrisk.model.calibration import Calibration, fit_platt
from pullrisk.model.distribution import Distribution, RepositoryMedians
from pullrisk.model.graph import GraphInputs, to_onnx
from pullrisk.model.metadata import QUESTIONS, Facts, Metadata, Question
from pullrisk.model.network import Weights, predict
from pullrisk.model.novelty import NoveltyStatistics, novelty_error
from pullrisk.model.reference import LATEST, SCORES, Reference
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.fit import Fitted, Rows
from pullrisk.train.patterns import find_patterns
from pullrisk.train.split import Split, Windows
from pullrisk.train.warm_start import WarmStart

if TYPE_CHECKING:
    from pullrisk.train.training import TrainSettings

_CALIBRATION_PRIOR: Final = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training came to, to be measured and written down.

    `labelled` has all labels, `windows` those that were learnt.
    """

    dataset: Dataset
    split: Split
    labelled: Windows
    windows: Windows
    fitted: Fitted
    weights: Weights
    start: WarmStart | None

    def assemble(self, scaling: Scaling, settings: "TrainSettings") -> tuple[GraphInputs, Metadata]:
        """The parts of the graph, and metadata that still lacks its schema."""
        windows, data = self.windows, self.dataset
        recent = windows.validation if len(windows.validation.z) else windows.training
        logits, rebuilt = predict(self.weights, recent.z)
        residuals = recent.z - rebuilt
        ordinary = NoveltyStatistics.of(recent.z, residuals, known_together(data.names))
        calibration = self._calibrations(predict(self.fitted.weights, recent.z)[0], recent)
        inherited = self.start.calibration if self.start else {}
        answered = [
            learnt or question in inherited
            for question, learnt in zip(QUESTIONS, windows.learnable.tolist(), strict=True)
        ]
        chances = [
            calibration[question].apply(own)
            for question, own in zip(QUESTIONS, logits, strict=True)
        ]
        risk = _either(np.stack(chances), np.array(answered))
        error = novelty_error(recent.z, residuals, ordinary)
        anonymous = np.where(needing(["author"], data.names), np.float32(np.nan), recent.z)
        blind = anonymous - predict(self.weights, anonymous)[1]
        names, codes, past = data.repositories, recent.repository, ~self.split.test
        metadata = Metadata(
            schema_hash="",
            features=(),
            repair_available=answered[0],
            revert_available=answered[1],
            calibration=calibration,
            operating_points=settings.operating_points,
            risk=Distribution.of(risk, codes, names),
            novelty=Distribution.of(error, codes, names),
            anonymous=Distribution.of(novelty_error(anonymous, blind, ordinary), codes, names),
            typical=RepositoryMedians.of(data.x[past], data.repository[past], names),
            facts=self._facts(settings),
        )
        return GraphInputs(scaling, self.weights, ordinary), metadata

    def _calibrations(self, logits: Float32, recent: Rows) -> dict[Question, Calibration]:
        """Each question's own; of one that was not learnt, that of the model it starts from."""
        inherited = self.start.calibration if self.start else {}
        parts = zip(QUESTIONS, logits, recent.labels, self.windows.learnable, strict=True)
        return {
            question: inherited[question]
            if question in inherited and not learnt
            else _calibrated(logit, labels)
            for question, logit, labels, learnt in parts
        }

    def _facts(self, settings: "TrainSettings") -> Facts:
        training, known = self.labelled.training, self.labelled.training.labelled
        repaired, reverted = self.labelled.positives.tolist()
        names, split = self.dataset.repositories, self.split
        return Facts(
            maturity_days=settings.maturity_days,
            pulls=len(training.z),
            examples=int(known.any(axis=0).sum()),
            repairs_known=int(known[0].sum()),
            repaired=repaired,
            reverted=reverted,
            seed=settings.seed,
            epochs=self.fitted.best_epoch,
            fit=msgspec.to_builtins(settings.fit),
            validation_from=dict(zip(names, split.validation_from.tolist(), strict=True)),
            trained_until=dict(zip(names, split.test_from.tolist(), strict=True)),
        )


def _either(probabilities: Float64, known: Bools) -> Float64:
    """The probability of any of the `known` [2] outcomes, from that of each [2, n], [n].

    As if they were independent: 1 - (1 - p)(1 - q). docs/train.md tells how well that is met.
    """
    known_only = probabilities * known[:, None]
    return np.asarray(known_only.sum(axis=0) - known_only.prod(axis=0))


def _calibrated(logit: Float32, labels: Int8) -> Calibration:
    known = labels != UNKNOWN
    if not known.any():
        return Calibration()
    return fit_platt(logit[known], labels[known], prior=_CALIBRATION_PRIOR)


def finish_bundle(parts: GraphInputs, metadata: Metadata, dataset: Dataset, past: Bools) -> Bundle:
    """The bundle, with its patterns and the reference of each repository's latest of `past` [n].

    The scores among them are those of the very graph that ships, hence the draft.
    """
    draft = Bundle.of(to_onnx(parts, metadata), schema_hash=metadata.schema_hash)
    reference = measure(draft, dataset, past)
    patterns = find_patterns(draft, dataset, past, seed=metadata.facts.seed)
    whole = msgspec.structs.replace(metadata, reference=reference, patterns=patterns)
    return Bundle.of(to_onnx(parts, whole), schema_hash=metadata.schema_hash)


def measure(bundle: Bundle, dataset: Dataset, past: Bools) -> Reference:
    """Features and scores of the latest pulls of `past` [n], repository by repository."""
    codes = dataset.repository
    rows = np.concatenate(
        [np.flatnonzero(past & (codes == code))[-LATEST:] for code in np.unique(codes)]
    )
    risk, error, _ = bundle.raw(dataset.x[rows])
    names = [feature.name for feature in bundle.metadata.features]
    return Reference.of(
        np.column_stack([dataset.x[rows], risk, error]),
        codes[rows],
        dataset.repositories,
        columns=(*names, *SCORES),
    )
