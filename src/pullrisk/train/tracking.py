"""Training runs and models in MLflow: an SQLite file by default, a server where one is named."""

import logging
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any, Final

import msgspec
import numpy as np

from pullrisk.errors import MissingExtraError, ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.redaction import REDACTOR
from pullrisk.train.fit import Epoch
from pullrisk.train.plots import draw_all
from pullrisk.train.report import Evaluation
from pullrisk.train.training import Trained, TrainSettings

EXPERIMENT: Final = "pullrisk"
MODEL_NAME: Final = "pullrisk"
CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"
_REQUIREMENTS: Final = ("numpy", "onnx", "onnxruntime")
_QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_OUTPUTS: Final = ("risk", "novelty_error", "code")


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a run and its model were registered; `aliases` are those the version now has."""

    run_id: str
    version: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tracking:
    """A tracking server or database, and the folder for artifacts where it keeps none itself."""

    uri: str
    artifacts: Path

    @classmethod
    def local(cls, home: Path) -> "Tracking":
        """MLflow on an SQLite file in the home folder."""
        folder = home.absolute()
        return cls(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts")


def track(
    tracking: Tracking,
    trained: Trained,
    evaluation: Evaluation,
    settings: TrainSettings,
    *,
    tags: Mapping[str, str],
) -> Tracked:
    """Log a run with its parameters, epochs, metrics, plots and model, and register the model.

    The new version becomes `challenger`, and `champion` too where there is none yet. Raises
    ModelError when MLflow refuses or loses the signature (mlflow issue 25593).
    """
    mlflow = import_mlflow()
    with _talking_to(mlflow, tracking) as client:
        experiment = _experiment(client, tracking)
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.set_tags(REDACTOR.mapping({**tags, **_commit_tag()}))
            mlflow.log_params(REDACTOR.mapping(_flat(msgspec.to_builtins(settings))))
            _log_epochs(mlflow, trained.epochs)
            mlflow.log_metrics({f"test_{name}": value for name, value in evaluation.flat().items()})
            mlflow.log_dict(msgspec.to_builtins(evaluation), "evaluation.json")
            for name, figure in draw_all(evaluation, trained.epochs).items():
                mlflow.log_figure(figure, f"plots/{name}")
            version = _log_model(mlflow, client, trained.bundle)
        return Tracked(run.info.run_id, version, _alias(client, version))


def download(tracking: Tracking, reference: str, folder: Path) -> Path:
    """Fetch a registered model's ONNX file, by alias (`@champion`) or version (`3`).

    Raises ModelError where the registry has no such model or cannot be reached.
    """
    mlflow = import_mlflow()
    separator = "" if reference.startswith("@") else "/"
    with _talking_to(mlflow, tracking):
        uri = f"models:/{MODEL_NAME}{separator}{reference}"
        found = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
    return next(Path(found).rglob("*.onnx"))


def import_mlflow() -> Any:  # noqa: ANN401  (mlflow has no types here)
    """The mlflow module, without telemetry; raises MissingExtraError if it is not installed."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside mlflow's own imports
            import mlflow
            import mlflow.onnx
    except ImportError as error:
        raise MissingExtraError.of("mlflow", "train") from error
    return mlflow


@contextmanager
def _talking_to(mlflow: Any, tracking: Tracking) -> Iterator[Any]:  # noqa: ANN401
    """A client of the tracking server; the caller's own setting comes back afterwards."""
    before = mlflow.get_tracking_uri() if mlflow.tracking.is_tracking_uri_set() else ""
    with _quiet(), _as_model_error(mlflow, tracking):
        if tracking.uri.startswith("sqlite:"):
            tracking.artifacts.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(tracking.uri)
        try:
            yield mlflow.MlflowClient(tracking.uri, tracking.uri)
        finally:
            mlflow.set_tracking_uri(before)


@contextmanager
def _as_model_error(mlflow: Any, tracking: Tracking) -> Iterator[None]:  # noqa: ANN401
    try:
        yield
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise ModelError(
            f"MLflow at {tracking.uri.rpartition('@')[2]} refused: {error}",
            hint="check the setting mlflow_uri and that the server or file can be written",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what MLflow and its migrations log while all is well, and its deprecations."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for module in ("mlflow", "pydantic", "sqlalchemy", "alembic"):
                warnings.filterwarnings("ignore", module=rf"{module}\b")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _experiment(client: Any, tracking: Tracking) -> str:  # noqa: ANN401
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    local = tracking.uri.startswith("sqlite:")
    location = tracking.artifacts.absolute().as_uri() if local else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _log_epochs(mlflow: Any, epochs: tuple[Epoch, ...]) -> None:  # noqa: ANN401
    for epoch in epochs:
        found = msgspec.structs.asdict(epoch)
        step = found.pop("epoch")
        mlflow.log_metrics({k: v for k, v in found.items() if v is not None}, step=step)


def _log_model(mlflow: Any, client: Any, bundle: Bundle) -> str:  # noqa: ANN401
    """Log and register the model, and make sure that its signature is there."""
    import onnx

    info = mlflow.onnx.log_model(
        onnx.load_from_string(bundle.data),
        name="model",
        signature=_signature(bundle),
        save_as_external_data=False,  # one file, which `download` gives back
        pip_requirements=list(_REQUIREMENTS),
        metadata={"schema_hash": bundle.metadata.schema_hash},
    )
    if info.signature is None or mlflow.models.get_model_info(info.model_uri).signature is None:
        raise ModelError("MLflow saved the model without its signature")
    return _register(client, info)


def _register(client: Any, info: Any) -> str:  # noqa: ANN401
    """A new version of the registered model, which is made at the first time.

    `mlflow.register_model` does the same, and prints to stderr whatever the log level.
    """
    known = client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'")
    if not known:
        client.create_registered_model(MODEL_NAME)
    version = client.create_model_version(
        MODEL_NAME, source=info.model_uri, run_id=info.run_id, model_id=info.model_id
    )
    return str(version.version)


def _signature(bundle: Bundle) -> Any:  # noqa: ANN401
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    row = np.zeros((1, len(bundle.metadata.features)), np.float32)
    code = bundle.raw(row)[2].shape[1]
    single = np.dtype(np.float32)
    shapes = ((-1,), (-1,), (-1, code))
    outputs = [
        TensorSpec(single, shape, name) for name, shape in zip(_OUTPUTS, shapes, strict=True)
    ]
    return ModelSignature(
        inputs=Schema([TensorSpec(single, (-1, row.shape[1]), "x")]), outputs=Schema(outputs)
    )


def _alias(client: Any, version: str) -> tuple[str, ...]:  # noqa: ANN401
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version)
    aliases = client.get_registered_model(MODEL_NAME).aliases
    if CHAMPION in aliases:
        return (CHALLENGER,)
    client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)
    return (CHALLENGER, CHAMPION)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _commit_tag() -> dict[str, str]:
    """The Git commit of this code, where it runs from a checkout."""
    git, folder = which("git"), Path(__file__).parent
    if git is None:
        return {}
    command = [git, "-C", str(folder), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return {"git_commit": found.stdout.strip()} if found.returncode == 0 else {}
