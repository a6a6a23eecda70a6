"""From a dataset to a bundle: split, fit, and have what came of it measured and exported.

What is judged is what is shipped: the network is never fitted on the test window, neither
before nor after it was judged, so `evaluate` stays honest for the very file that serves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools
from pullrisk.errors import NotEnoughDataError, SettingsError
from pullrisk.features.schema import Feature
from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.metadata import QUESTIONS, OperatingPoints, Question
from pullrisk.model.network import Weights, filled
from pullrisk.model.scaling import Scaling
from pullrisk.progress import Progress
from pullrisk.train.assemble import Outcome, finish_bundle
from pullrisk.train.categories import learn
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import Epoch
from pullrisk.train.fit import FitSettings, Fitted, fit
from pullrisk.train.masks import Masks
from pullrisk.train.split import LEAST_POSITIVES, Split, Windows, label_windows, temporal_split
from pullrisk.train.warm_start import WarmStart

LEAST_PULLS: Final = 50
"""Fewer training rows than this cannot say what is usual."""


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
    outcome = Outcome(dataset, split, labelled, windows, fitted, weights, start)
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


def _any(rows: Bools) -> list[bool]:
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
    inherited = start.calibration.keys() if start else ()
    notes = []
    for question, positives, learnt, known, positive in parts:
        if not learnt:
            few = f"{positives} matured {_NOT_LEARNT[question]} are too few"
            if not known and question == "repair":
                few = "whose lines a change rewrites is not known, and so not what needed a fix"
            then = (
                f"that answer is the one of {start.name}"
                if start is not None and question in inherited
                else f"the model does not answer that (at least {LEAST_POSITIVES} are needed)"
            )
            notes.append(f"{few}: {then}")
        elif not positive:
            notes.append(
                f"no {_NOT_LEARNT[question]} in the validation window: that answer is calibrated "
                "to its base rate only"
            )
    if not windows.learnable.any() and not inherited:
        notes.append(
            "the model answers novelty only; `pullrisk train --from general` starts from a model "
            "that has a risk"
        )
    return tuple(notes)
