"""The stage itself: from the lake's table to a tracked model and a file to score with."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.errors import ModelError
from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Progress
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.injections import Read, inject
from pullrisk.train.report import Evaluation
from pullrisk.train.tracking import Tracked, Tracking, track
from pullrisk.train.training import Trained, TrainSettings, train

if TYPE_CHECKING:
    import pyarrow as pa

MODEL_FILE: Final = "model.onnx"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished training: the file to score with, how good it is, where it is registered."""

    model: Path
    trained: Trained
    evaluation: Evaluation
    tracked: Tracked


def train_model(  # noqa: PLR0913  (one keyword per collaborator)
    table: "pa.Table",
    *,
    home: Path,
    settings: TrainSettings | None = None,
    tracking: Tracking | None = None,
    read: Read | None = None,
    source: Mapping[str, str] | None = None,
    progress: Progress,
) -> TrainResult:
    """Train on the lake's feature table, judge, log to MLflow, and write `<home>/model.onnx`.

    `read` gives a repository's pulls in event order (`PullStore.events`), to judge novelty by
    injected anomalies; without it novelty is not judged. `source` (such as the Delta version
    under `version`, and the run) is logged as it is. The model file is replaced last and at
    once, so a run that is killed leaves the earlier one. Raises NotEnoughDataError for too
    little data, ModelError where MLflow or the disk refuses.
    """
    settings = settings or TrainSettings()
    source = dict(source or {})
    dataset = Dataset.from_table(table, NAMES, maturity_days=settings.maturity_days)
    trained = train(
        dataset,
        FEATURES,
        settings,
        schema_hash=SCHEMA_HASH,
        dataset_version=source.get("version"),
        progress=progress,
    )
    evaluation = _evaluate(trained.bundle, dataset, read, Options(), progress=progress)
    tags = {f"dataset_{name}": value for name, value in source.items()}
    tags |= {"dataset_rows": str(len(dataset)), "schema_hash": SCHEMA_HASH}
    tracked = track(tracking or Tracking.local(home), trained, evaluation, settings, tags=tags)
    return TrainResult(_write(home / MODEL_FILE, trained.bundle.data), trained, evaluation, tracked)


def evaluate_bundle(
    bundle: Bundle,
    table: "pa.Table",
    *,
    read: Read | None = None,
    options: Options | None = None,
    progress: Progress,
) -> Evaluation:
    """Judge a model on the pulls of the lake's table that are later than its training."""
    days = bundle.metadata.facts.maturity_days
    dataset = Dataset.from_table(table, NAMES, maturity_days=days)
    return _evaluate(bundle, dataset, read, options or Options(), progress=progress)


def _evaluate(
    bundle: Bundle,
    dataset: Dataset,
    read: Read | None,
    options: Options,
    *,
    progress: Progress,
) -> Evaluation:
    injected = None
    if read is not None:
        until = bundle.metadata.facts.trained_until
        since = {name: until[name] for name in dataset.repositories if name in until}
        injected = inject(read, since, seed=options.seed, progress=progress)
    return evaluate(bundle, dataset, injected=injected, options=options, progress=progress)


def _write(path: Path, data: bytes) -> Path:
    """Replace the file at once, so that no reader and no crash ever sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ModelError(
            f"model {path} cannot be written: {error.strerror}",
            hint="free some space, or name another home folder",
        ) from error
    return path
