"""Training runs in MLflow: an SQLite file by default, a server where one is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pullrisk.model.bundle import Bundle
from pullrisk.redaction import REDACTOR
from pullrisk.train.fit import Epoch
from pullrisk.train.mlflow_client import Tracking, connected, import_mlflow
from pullrisk.train.publish import CHALLENGER, MODEL_NAME, publish
from pullrisk.train.registry import CHAMPION, download
from pullrisk.train.report import Evaluation

EXPERIMENT: Final = "pullrisk"
EVALUATION_FILE: Final = "evaluation.json"
PREDICTIONS_FILE: Final = "predictions.parquet"
"""The risk of every pull of the run's test window, by which later models are compared with it."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run logs beside its model: enough to register the model another day."""

    settings: dict[str, Any]
    tags: dict[str, str]
    epochs: tuple[Epoch, ...] = ()
    evaluation: Evaluation | None = None
    predictions: bytes | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a run and its model were registered; `aliases` are those the version now has."""

    run_id: str
    version: str
    aliases: tuple[str, ...]


def track(tracking: Tracking, bundle: Bundle, record: RunRecord) -> Tracked:
    """Log a run with its parameters, epochs, metrics and model, and register the model.

    The new version becomes `challenger`. Raises RegistryError when MLflow is away, refuses, or
    loses the signature (mlflow issue 25593).
    """
    tags = {name: str(value) for name, value in REDACTOR.mapping(record.tags).items()}
    with (
        connected(tracking) as (mlflow, client),
        mlflow.start_run(experiment_id=experiment(client, tracking)) as run,
    ):
        mlflow.set_tags(tags)
        mlflow.log_params(REDACTOR.mapping(_flat(record.settings)))
        _log_epochs(mlflow, record.epochs)
        if record.evaluation is not None:
            _log_evaluation(mlflow, record.evaluation)
        if record.predictions is not None:
            _log_bytes(mlflow, record.predictions, PREDICTIONS_FILE)
        version = publish(mlflow, client, bundle, tags=tags)
    return Tracked(run.info.run_id, version, (CHALLENGER,))


def experiment(client: Any, tracking: Tracking) -> str:  # noqa: ANN401  (mlflow has no types)
    """The id of the experiment of all our runs, which is made at the first time."""
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    location = tracking.artifacts.absolute().as_uri() if tracking.is_file else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _log_epochs(mlflow: Any, epochs: tuple[Epoch, ...]) -> None:  # noqa: ANN401
    for epoch in epochs:
        found = msgspec.structs.asdict(epoch)
        step = found.pop("epoch")
        mlflow.log_metrics({k: v for k, v in found.items() if v is not None}, step=step)


def _log_evaluation(mlflow: Any, evaluation: Evaluation) -> None:  # noqa: ANN401
    mlflow.log_metrics({f"test_{name}": value for name, value in evaluation.flat().items()})
    mlflow.log_dict(msgspec.to_builtins(evaluation), EVALUATION_FILE)


def _log_bytes(mlflow: Any, data: bytes, name: str) -> None:  # noqa: ANN401
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="pullrisk-") as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        mlflow.log_artifact(str(path))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


__all__ = [
    "CHALLENGER", "CHAMPION", "EXPERIMENT", "MODEL_NAME", "RunRecord", "Tracked", "Tracking",
    "connected", "download", "experiment", "import_mlflow", "track",
]  # fmt: skip
