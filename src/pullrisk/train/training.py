"""From a dataset to a bundle: split, fit, calibrate, measure the distributions, export.

What is judged is what is shipped: the network is never fitted on the test window, neither
before nor after it was judged, so `evaluate` stays honest for the very file that serves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import NotEnoughDataError, SettingsError
from pullrisk.features.knowledge import known_together, needing
from pullrisk.features.schema import Feature
from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.graph import GraphInputs
from pullrisk.model.metadata import Facts, Metadata, OperatingPoints
from pullrisk.model.network import Weights, filled, predict
from pullrisk.model.questions import QUESTIONS, Question, either
from pullrisk.model.scaling import Scaling
from pullrisk.model.statistics import (
    Calibration,
    Distribution,
    NoveltyStatistics,
    RepositoryMedians,
    fit_platt,
    novelty_error,
)
from pullrisk.progress import Progress
from pullrisk.train.categories import learn
from pullrisk.train.dataset import TARGET_OF, UNKNOWN, Dataset
from pullrisk.train.fit import Epoch, FitSettings, Fitted, Rows, fit
from pullrisk.train.masks import Masks
from pullrisk.train.reference import finish_bundle
from pullrisk.train.split import Split, temporal_split
from pullrisk.train.warm_start import WarmStart

LEAST_PULLS: Final = 50
"""Fewer training rows than this cannot say what is usual."""
LEAST_POSITIVES: Final = 20
"""Fewer positives among the training labels than this give no risk worth showing."""
_CALIBRATION_PRIOR: Final = 10.0


class TrainSettings(msgspec.Struct, frozen=True):
    """What is trained and on what; `test` and `validation` are shares of a repository's time."""

    maturity_days: float = 90.0
    test: float = 0.25
    validation: float = 0.15
    seed: int = 0
    fit: FitSettings = FitSettings()
    operating_points: OperatingPoints = OperatingPoints()

    def __post_init__(self) -> None:
        """Raises SettingsError for operating points that leave nothing."""
        high, elevated = self.operating_points.high, self.operating_points.elevated
        if high <= 0 or elevated < 0 or high + elevated >= 1:
            raise SettingsError(
                f"the operating points are high={high}, elevated={elevated}, "
                "expected shares that leave a rest",
                hint="for example high=0.05 and elevated=0.15",
            )


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and how it came about; `notes` tell what could not be done as usual."""

    bundle: Bundle
    split: Split
    epochs: tuple[Epoch, ...]
    best_epoch: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Windows:
    """Scaled rows with the labels known when each window ended; `both` when validation did."""

    training: Rows
    validation: Rows
    both: Rows

    @property
    def positives(self) -> NDArray[np.intp]:
        """Positive labels among the training rows, [questions]."""
        return np.asarray((self.training.labels == 1).sum(axis=1))

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Whether the training labels suffice: enough positives, and negatives, [questions]."""
        negatives = (self.training.labels == 0).any(axis=1)
        return np.asarray((self.positives >= LEAST_POSITIVES) & negatives)

    def of_learnable(self) -> "Windows":
        """The same without the labels of questions for which they do not suffice."""
        wanted = self.learnable[:, None]
        parts = (
            replace(rows, labels=np.where(wanted, rows.labels, np.int8(UNKNOWN)))
            for rows in (self.training, self.validation, self.both)
        )
        return Windows(*parts)


def train(  # noqa: PLR0913  (one keyword per fact)
    dataset: Dataset,
    features: Sequence[Feature],
    settings: TrainSettings,
    *,
    schema_hash: str,
    dataset_version: str | None = None,
    start: WarmStart | None = None,
    progress: Progress,
) -> Trained:
    """Train on all but the last part of each repository's time; `start` is what to fine-tune.

    A question with fewer than LEAST_POSITIVES positives is not learnt, and the bundle says so: it
    answers that as `start` did, or not at all.
    Raises NotEnoughDataError with fewer than LEAST_PULLS pulls to train on.
    """
    split = temporal_split(dataset, test=settings.test, validation=settings.validation)
    _require_pulls(int(split.train.sum()))
    scaling = start.scaling if start else Scaling.fit(dataset.x[split.train], features)
    masks = Masks.of([feature.name for feature in features], settings.fit.masking)
    labelled = label_windows(dataset, split, scaling)
    windows = labelled.of_learnable()
    fitted = fit(
        windows.training,
        windows.validation,
        settings.fit,
        seed=settings.seed,
        progress=progress,
        start=start,
        masks=masks,
    )
    weights = fitted.weights
    if len(windows.validation.z):
        weights = _refit(windows, fitted, settings, start=start, masks=masks, progress=progress)
    outcome = _Outcome(dataset, split, labelled, windows, fitted, weights, start)
    parts, draft = outcome.assemble(scaling, settings)
    past = np.flatnonzero(~split.test)
    read = filled(weights, windows.both.z)
    parts = replace(parts, category=learn(dataset, read, past, features, start=start))
    metadata = msgspec.structs.replace(
        draft,
        schema_hash=schema_hash,
        features=tuple(features),
        categories=CATEGORIES if parts.category else (),
        facts=msgspec.structs.replace(
            draft.facts,
            dataset_version=dataset_version,
            started_from=start.name if start else None,
        ),
    )
    bundle = finish_bundle(parts, metadata, dataset, ~split.test)
    return Trained(bundle, split, fitted.epochs, fitted.best_epoch, _notes(labelled, start))


def label_windows(dataset: Dataset, split: Split, scaling: Scaling) -> Windows:
    """Give each window the labels of QUESTIONS that were known when it ended: no look-ahead.

    A training pull whose maturity window reaches past the start of validation is unlabelled
    unless it was in trouble before; one reverted later than that counts as positive too. A
    validation pull counts only when mature by the start of the test window, so that the share
    of positives is the true one.
    """

    def rows(mask: NDArray[np.bool_], known_at: NDArray[np.int64], *, learning: bool) -> Rows:
        labels = [
            dataset.labels(TARGET_OF[question], known_at=known_at, learning=learning)[mask]
            for question in QUESTIONS
        ]
        return Rows(scaling.apply(dataset.x[mask]), np.stack(labels), dataset.repository[mask])

    return Windows(
        rows(split.train, split.validation_from, learning=True),
        rows(split.validation, split.test_from, learning=False),
        rows(split.train | split.validation, split.test_from, learning=True),
    )


def _refit(
    windows: Windows,
    fitted: Fitted,
    settings: TrainSettings,
    *,
    start: WarmStart | None,
    masks: Masks,
    progress: Progress,
) -> Weights:
    """Train again on both windows, for as many epochs as did best on validation.

    Recent pulls tell most: on windows before the test window this gained 0.016 of pooled and
    0.011 of within-repository AUC. The calibration stays that of the first network, for which
    the validation window was unseen.
    """
    again = fit(
        windows.both,
        None,
        settings.fit,
        seed=settings.seed,
        progress=progress,
        stop_after=fitted.best_epoch,
        start=start,
        masks=masks,
    )
    return again.weights


@dataclass(frozen=True, slots=True)
class _Outcome:
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

    def assemble(self, scaling: Scaling, settings: TrainSettings) -> tuple[GraphInputs, Metadata]:
        """The parts of the graph, and metadata that still lacks its schema."""
        windows, data = self.windows, self.dataset
        recent = windows.validation if len(windows.validation.z) else windows.training
        logits, rebuilt = predict(self.weights, recent.z)
        residuals = recent.z - rebuilt
        ordinary = NoveltyStatistics.of(recent.z, residuals, known_together(data.names))
        calibration = self._calibrations(predict(self.fitted.weights, recent.z)[0], recent)
        kept = self.start.calibration if self.start else {}
        answered = [
            learnt or question in kept
            for question, learnt in zip(QUESTIONS, windows.learnable.tolist(), strict=True)
        ]
        chances = [
            calibration[question].apply(own)
            for question, own in zip(QUESTIONS, logits, strict=True)
        ]
        risk = either(np.stack(chances), np.array(answered))
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

    def _calibrations(
        self, logits: NDArray[np.float32], recent: Rows
    ) -> dict[Question, Calibration]:
        """Each question's own; of one that was not learnt, that of the model it starts from."""
        kept = self.start.calibration if self.start else {}
        parts = zip(QUESTIONS, logits, recent.labels, self.windows.learnable, strict=True)
        return {
            question: kept[question]
            if question in kept and not learnt
            else _calibrated(logit, labels)
            for question, logit, labels, learnt in parts
        }

    def _facts(self, settings: TrainSettings) -> Facts:
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


def _calibrated(logit: NDArray[np.float32], labels: NDArray[np.int8]) -> Calibration:
    known = labels != UNKNOWN
    if not known.any():
        return Calibration()
    return fit_platt(logit[known], labels[known], prior=_CALIBRATION_PRIOR)


def _require_pulls(pulls: int) -> None:
    if pulls < LEAST_PULLS:
        raise NotEnoughDataError(
            f"only {pulls} pulls lie before the validation window, "
            f"training needs at least {LEAST_PULLS}",
            hint="fetch a longer history, or more repositories",
        )


_NOT_LEARNT: Final[dict[Question, str]] = {
    "repair": "pulls that needed a fix",
    "revert": "reverts",
}


def _any(rows: NDArray[np.bool_]) -> list[bool]:
    """Whether any of the rows [questions, n] is true, by question."""
    return [bool(each.any()) for each in rows]


def _notes(windows: Windows, start: WarmStart | None) -> tuple[str, ...]:
    parts = zip(
        QUESTIONS,
        windows.positives.tolist(),
        windows.learnable.tolist(),
        _any(windows.training.labelled),
        _any(windows.validation.labels == 1),
        strict=True,
    )
    kept = start.calibration.keys() if start else ()
    notes = []
    for question, positives, learnt, known, positive in parts:
        if not learnt:
            few = f"{positives} matured {_NOT_LEARNT[question]} are too few"
            if not known and question == "repair":
                few = "whose lines a change rewrites is not known, and so not what needed a fix"
            then = (
                f"that answer is the one of {start.name}"
                if start is not None and question in kept
                else f"the model does not answer that (at least {LEAST_POSITIVES} are needed)"
            )
            notes.append(f"{few}: {then}")
        elif not positive:
            notes.append(
                f"no {_NOT_LEARNT[question]} in the validation window: that answer is calibrated "
                "to its base rate only"
            )
    if not windows.learnable.any() and not kept:
        notes.append(
            "the model answers novelty only; `pullrisk train --from general` starts from a model "
            "that has a risk"
        )
    return tuple(notes)
