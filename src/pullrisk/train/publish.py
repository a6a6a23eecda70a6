"""A bundle into MLflow: logged with its signature, registered as a version, made challenger."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from pullrisk.model.bundle import Bundle
from pullrisk.redaction import REDACTOR
from pullrisk.train.mlflow_client import RegistryError

MODEL_NAME: Final = "pullrisk"
CHALLENGER: Final = "challenger"
DIGEST: Final = "bundle_sha256"
"""The tag of a version that holds the digest of its ONNX file."""
RISK: Final = "risk"
"""The tag of a version that says whether it gives a risk: `available` or `unavailable`."""
_REQUIREMENTS: Final = ("numpy", "onnx", "onnxruntime")


def publish(mlflow: Any, client: Any, bundle: Bundle, *, tags: Mapping[str, str]) -> str:  # noqa: ANN401  (mlflow has no types)
    """Log the model to the active run, register it as `challenger`, and tell its version.

    Raises RegistryError where MLflow lost the signature (mlflow issue 25593).
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
    """The registered model, None where nothing was ever registered."""
    found = client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'")
    return client.get_registered_model(MODEL_NAME) if found else None


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
    wanted = [one for one in model.graph.input if one.name not in defaults]
    return ModelSignature(
        inputs=Schema([_spec(one) for one in wanted]),
        outputs=Schema([_spec(one) for one in model.graph.output]),
    )


def _spec(value: Any) -> Any:  # noqa: ANN401
    """One tensor; -1 for a dimension that is as long as there are rows."""
    from mlflow.types import TensorSpec
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = value.type.tensor_type
    shape = tuple(-1 if each.dim_param else each.dim_value for each in kind.shape.dim)
    return TensorSpec(tensor_dtype_to_np_dtype(kind.elem_type), shape, value.name)
