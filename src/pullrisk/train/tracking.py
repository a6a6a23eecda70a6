"""A training run in MLflow, and its model: logged with a signature, registered as challenger.

Runs are kept in an SQLite file by default, on a server where one is named.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from pullrisk.model.bundle import Bundle
from pullrisk.redaction import REDACTOR
from pullrisk.train.evaluation import Epoch, Evaluation
from pullrisk.train.mlflow_client import RegistryError, Tracking, connected

MODEL_NAME: Final = "pullrisk"
CHALLENGER: Final = "challenger"
DIGEST: Final = "bundle_sha256"
"""The tag of a version that holds the digest of its ONNX file."""
RISK: Final = "risk"
"""The tag of a version that says whether it gives a risk: `available` or `unavailable`."""
_REQUIREMENTS: Final = ("numpy", "onnx", "onnxruntime")


def publish(mlflow: Any, client: Any, bundle: Bundle, *, tags: Mapping[str, str]) -> str:  # noqa: ANN401  (mlflow has no types)
    """Log the model to the active run, register it as `challenger`, and tell its version.

    Raises RegistryError if MLflow lost the signature (mlflow issue 25593).
    """
    import onnx

    model = onnx.load_from_string(bundle.data)
    signature = _signature(model)
    info = mlflow.onnx.log_model(
        model,
        name="model",
        signature=signature,
        save_as_external_data=False,  # one file, which `download` gives back
        pip_requirements=list(_REQUIREMENTS),
        onnx_execution_providers=["CPUExecutionProvider"],
        metadata={"schema_hash": bundle.metadata.schema_hash},
    )
    _require_signature(mlflow, signature, info)
    risk = "available" if bundle.metadata.risk_available else "unavailable"
    tags = {**tags, DIGEST: digest(bundle), RISK: risk}
    version = _register(client, info, REDACTOR.mapping(tags))
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version)
    return version


def digest(bundle: Bundle) -> str:
    """The SHA-256 of the bundle's file."""
    return sha256(bundle.data).hexdigest()


def known(client: Any) -> Any:  # noqa: ANN401
    """The registered model, None if nothing was ever registered."""
    matches = client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'")
    return client.get_registered_model(MODEL_NAME) if matches else None


def _require_signature(mlflow: Any, signature: Any, info: Any) -> None:  # noqa: ANN401
    """Read the signature back from where it was saved, and compare it with what was given."""
    saved = mlflow.models.get_model_info(info.model_uri).signature
    if saved is None or saved != signature:
        raise RegistryError(
            f"MLflow saved the model {info.model_uri} "
            + ("without its signature" if saved is None else f"with another signature: {saved}"),
            hint="the run has it, the registry has not: see mlflow issue 25593",
        )


def _register(client: Any, info: Any, tags: Mapping[str, object]) -> str:  # noqa: ANN401
    """A new version of the registered model, which is made at the first time.

    `mlflow.register_model` does the same, and prints to stderr whatever the log level.
    """
    if known(client) is None:
        with _unless_made():
            client.create_registered_model(MODEL_NAME)
    version = client.create_model_version(
        MODEL_NAME,
        source=info.model_uri,
        run_id=info.run_id,
        model_id=info.model_id,
        tags={name: str(value) for name, value in tags.items()},
    )
    return str(version.version)


def _signature(model: Any) -> Any:  # noqa: ANN401
    """The graph's inputs and outputs; an input that may be left out is not asked for."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

    defaults = {constant.name for constant in model.graph.initializer}
    required = [value for value in model.graph.input if value.name not in defaults]
    return ModelSignature(
        inputs=Schema([_spec(value) for value in required]),
        outputs=Schema([_spec(value) for value in model.graph.output]),
    )


def _spec(value: Any) -> Any:  # noqa: ANN401
    """One tensor; -1 for a dimension that is as long as there are rows."""
    from mlflow.types import TensorSpec
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = value.type.tensor_type
    shape = tuple(-1 if each.dim_param else each.dim_value for each in kind.shape.dim)
    return TensorSpec(tensor_dtype_to_np_dtype(kind.elem_type), shape, value.name)


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
    existing = client.get_experiment_by_name(EXPERIMENT)
    if existing is None:
        location = tracking.artifacts.absolute().as_uri() if tracking.is_file else None
        with _unless_made():
            client.create_experiment(EXPERIMENT, artifact_location=location)
        existing = client.get_experiment_by_name(EXPERIMENT)
    return str(existing.experiment_id)


@contextmanager
def _unless_made() -> Iterator[None]:
    """Make what MLflow lacked, which another training may have made meanwhile."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _log_epochs(mlflow: Any, epochs: tuple[Epoch, ...]) -> None:  # noqa: ANN401
    for epoch in epochs:
        figures = msgspec.structs.asdict(epoch)
        step = figures.pop("epoch")
        mlflow.log_metrics({k: v for k, v in figures.items() if v is not None}, step=step)


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
