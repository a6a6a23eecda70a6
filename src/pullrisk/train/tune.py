"""Hyper-parameter search with Optuna on the validation window; the test window stays unseen.

Trials are kept in an SQLite file, so a stopped search goes on where it was. The first trial is
the settings as they are: what is found is never worse than them on the validation window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from pullrisk.errors import MissingExtraError, ModelError, NotEnoughDataError
from pullrisk.features.schema import Feature
from pullrisk.model.scaling import Scaling
from pullrisk.progress import Progress, Silent
from pullrisk.train.dataset import Dataset
from pullrisk.train.fit import Epoch, FitSettings, fit
from pullrisk.train.split import temporal_split
from pullrisk.train.training import TrainSettings, Windows, label_windows

FILE: Final = "tuning.db"
"""The study, in the home folder."""
_VERSION: Final = 2
"""Of the search space and the objective; another version is another study."""
_STARTUP_TRIALS: Final = 6
_WARMUP_EPOCHS: Final = 2


class Range(msgspec.Struct, frozen=True):
    """Values that one setting may take: a range of numbers, or a few choices."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[int, ...] = ()


SPACE: Final = {
    "learning_rate": Range(5e-4, 8e-3, log=True),
    "weight_decay": Range(1e-6, 1e-2, log=True),
    "head_decay": Range(1e-4, 1e-1, log=True),
    "reconstruction_weight": Range(0.02, 1.0, log=True),
    "noise.hidden": Range(0.0, 0.5),
    "noise.spread": Range(0.0, 0.5),
    "noise.dropped": Range(0.0, 0.5),
    "shape.hidden": Range(choices=(32, 64, 96)),
    "shape.code": Range(choices=(12, 24, 32)),
    "shape.pieces": Range(choices=(0, 16)),
    "batch": Range(choices=(256, 512, 1024, 2048)),
}
"""What is searched: names of FitSettings, a dot between the parts of a nested one."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One setting that was tried; `value` is None where it was given up early."""

    number: int
    parameters: dict[str, float]
    value: float | None
    epochs: int
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tuned:
    """A finished search: the best settings, what they reached, every trial.

    `value` is the mean of pooled and within-repository AUC on the validation window.
    """

    fit: FitSettings
    best: Trial
    trials: tuple[Trial, ...]


def tune(
    dataset: Dataset,
    features: tuple[Feature, ...],
    settings: TrainSettings,
    *,
    trials: int,
    storage: Path,
    progress: Progress,
) -> Tuned:
    """Search until `trials` are finished, those of earlier runs on the same data included.

    Raises NotEnoughDataError where the validation window has no outcomes of both classes,
    ModelError where the study cannot be kept in `storage`.
    """
    split = temporal_split(dataset, test=settings.test, validation=settings.validation)
    scaling = Scaling.fit(dataset.x[split.train], features)
    windows = label_windows(dataset, split, scaling, target=settings.target)
    known = windows.validation.labels
    if not ((known == 1).any() and (known == 0).any() and windows.risk_available):
        raise NotEnoughDataError(
            "there are too few matured outcomes to tell one setting from another",
            hint="train without --tune: the defaults were found on many repositories",
        )
    optuna = _import_optuna()
    study = _study(optuna, storage, name=_name(dataset, settings), seed=settings.seed)
    if not study.trials:
        study.enqueue_trial(_parameters(settings.fit))
    with progress.task("tune", total=trials, unit="trials") as task:
        task.advance(min(len(_finished(study)), trials))
        while len(_finished(study)) < trials:
            study.optimize(_Objective(optuna, windows, settings), n_trials=1)
            task.advance()
            task.describe(f"tune: best {_best(study)}")
    found = _trials(study)
    best = max((one for one in found if one.value is not None), key=lambda one: one.value or 0.0)
    return Tuned(with_parameters(settings.fit, best.parameters), best, found)


def space(settings: FitSettings) -> dict[str, Range]:
    """SPACE, widened where it does not hold the given settings."""
    found = {}
    for name, value in _parameters(settings).items():
        within = SPACE[name]
        found[name] = msgspec.structs.replace(
            within,
            low=min(within.low, value) if not within.choices else 0.0,
            high=max(within.high, value) if not within.choices else 0.0,
            choices=tuple(sorted({*within.choices, value})) if within.choices else (),
        )
    return found


class _Objective:
    """Fits on the training window; the merit of each epoch decides who is given up early."""

    def __init__(self, optuna: Any, windows: Windows, settings: TrainSettings) -> None:  # noqa: ANN401
        self._optuna, self._windows, self._settings = optuna, windows, settings
        self._space = space(settings.fit)

    def __call__(self, trial: Any) -> float:  # noqa: ANN401  (optuna has no types here)
        chosen = {name: _suggest(trial, name, within) for name, within in self._space.items()}

        def watch(epoch: Epoch) -> None:
            trial.report(objective(epoch), epoch.epoch)
            if trial.should_prune():
                raise self._optuna.TrialPruned

        fitted = fit(
            self._windows.training,
            self._windows.validation,
            with_parameters(self._settings.fit, chosen),
            seed=self._settings.seed,
            progress=Silent(),
            on_epoch=watch,
        )
        trial.set_user_attr("epochs", fitted.best_epoch)
        return objective(fitted.epochs[fitted.best_epoch - 1])


def objective(epoch: Epoch) -> float:
    """Mean of the pooled and the within-repository AUC; within alone may be missing."""
    pooled = epoch.validation_auc or 0.0
    within = epoch.validation_within_auc
    return pooled if within is None else (pooled + within) / 2


def with_parameters(settings: FitSettings, parameters: Mapping[str, float]) -> FitSettings:
    """The settings with some of them, named as in SPACE, replaced."""
    found: dict[str, Any] = msgspec.to_builtins(settings)
    for name, value in parameters.items():
        *parents, last = name.split(".")
        place = found
        for parent in parents:
            place = place[parent]
        place[last] = value
    return msgspec.convert(found, FitSettings)


def _parameters(settings: FitSettings) -> dict[str, Any]:
    """The present values of what SPACE names."""
    found: dict[str, Any] = {}
    for name in SPACE:
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = value
    return found


def _suggest(trial: Any, name: str, within: Range) -> Any:  # noqa: ANN401
    if within.choices:
        return trial.suggest_categorical(name, within.choices)
    return trial.suggest_float(name, within.low, within.high, log=within.log)


def _study(optuna: Any, storage: Path, *, name: str, seed: int) -> Any:  # noqa: ANN401
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage.parent.mkdir(parents=True, exist_ok=True)
        kept = optuna.storages.RDBStorage(f"sqlite:///{storage.absolute()}")
        study = optuna.create_study(
            study_name=name, storage=kept, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, _WARMUP_EPOCHS),
        )  # fmt: skip
    except Exception as error:  # SQLAlchemy's own types, as many as there are drivers
        raise ModelError(
            f"the search cannot be kept in {storage}: {error}",
            hint="delete that file if it is damaged: the search then starts anew",
        ) from error
    # Another seed for each continuation, or it would propose what was already tried.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _name(dataset: Dataset, settings: TrainSettings) -> str:
    """The same for the same data, outcomes, settings and search; else another study."""
    digest = blake2b(digest_size=8)
    outcomes = (dataset.reverted_at, dataset.hotfixed_at, dataset.undone_at)
    for part in (dataset.x, dataset.merged_at, *outcomes):
        digest.update(part.tobytes())
    digest.update(msgspec.json.encode((_VERSION, SPACE, settings)))
    return f"{settings.target}-{digest.hexdigest()}"


def _finished(study: Any) -> list[Any]:  # noqa: ANN401
    return [one for one in study.trials if one.state.name in ("COMPLETE", "PRUNED")]


def _best(study: Any) -> str:  # noqa: ANN401
    done = [one.value for one in study.trials if one.state.name == "COMPLETE"]
    return f"{max(done):.4f}" if done else "none yet"


def _trials(study: Any) -> tuple[Trial, ...]:  # noqa: ANN401
    return tuple(
        Trial(
            number=one.number,
            parameters=dict(one.params),
            value=one.value if one.state.name == "COMPLETE" else None,
            epochs=one.user_attrs.get("epochs", len(one.intermediate_values)),
            started_at=one.datetime_start,
            ended_at=one.datetime_complete,
        )
        for one in _finished(study)
    )


def _import_optuna() -> Any:  # noqa: ANN401  (no types without the library)
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError.of("optuna", "train") from error
    return optuna
