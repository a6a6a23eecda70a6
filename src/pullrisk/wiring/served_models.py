"""From settings to the model that a service loads: a file, the general one, or a registered one."""

import os
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess, run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk.errors import ModelError
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import MODEL_FILE, is_registered, tracking, unregistered_model

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.serve.models import LoadedModel
    from pullrisk.serve.registry import Registry, RegistryContents

_DOWNLOAD: Final = (
    "import sys; from pullrisk.wiring.served_models import main; sys.exit(main(*sys.argv[1:]))"
)

_LIST: Final = (
    "import sys; from pullrisk.cli import main; sys.exit(main(['models', 'list', '--json']))"
)


def load_served_model(settings: Settings) -> "LoadedModel":
    """The model that `serve.model` names now; a registered one without mlflow. Raises ModelError.

    The rules are those of `adapters.load_model`.
    """
    reference = settings.serve.model
    if reference is not None and is_registered(reference):
        return _registered(settings, reference)
    return _loaded(*unregistered_model(settings, reference))


def main(reference: str, folder: str, home: str) -> int:
    """Download a model that is registered in a file: mlflow's memory ends with this process."""
    import shutil

    from pullrisk.errors import PullriskError
    from pullrisk.settings import load
    from pullrisk.train.registry import download

    try:
        path = download(tracking(load(home=home)), reference, Path(folder) / "download")
    except PullriskError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    shutil.copy(path, Path(folder) / MODEL_FILE)
    return 0


def registry(settings: Settings) -> "Registry":
    """The MLflow server of these settings."""
    from pullrisk.serve.registry import Registry

    user, password = settings.mlflow_username, settings.mlflow_password
    return Registry(
        settings.tracking_uri,
        login=(user, password) if user and password else None,
        token=settings.mlflow_token,
        s3=settings.s3,
    )


def read_registry(settings: Settings) -> "RegistryContents":
    """The registered versions, and the changes of champion. Raises ModelError."""
    from pullrisk.serve.registry import RegistryContents

    if settings.tracking_uri.startswith(("http://", "https://")):
        return registry(settings).contents()
    if settings.mlflow_uri is None and not (settings.home / "mlflow.db").exists():
        return RegistryContents([], [])
    process = _run_python(
        _LIST, PULLRISK_HOME=str(settings.home), PULLRISK_MLFLOW_URI=settings.tracking_uri
    )
    if process.returncode:
        raise ModelError(f"the registry cannot be read: {process.stderr.strip() or 'no answer'}")
    return msgspec.json.decode(process.stdout, type=RegistryContents)


def _registered(settings: Settings, reference: str) -> "LoadedModel":
    from pullrisk.model.bundle import Bundle

    source = f"registry {reference}"
    if settings.tracking_uri.startswith(("http://", "https://")):
        model = registry(settings).fetch(reference)
        return _loaded(Bundle.of(model.data, source=source), source, registered=model.version)
    data = _from_file(settings, reference)
    version = None if reference.startswith("@") else reference
    return _loaded(Bundle.of(data, source=source), source, registered=version)


def _from_file(settings: Settings, reference: str) -> bytes:
    """The ONNX file of a model in MLflow's own database, which only mlflow can read."""
    with TemporaryDirectory(prefix="pullrisk-") as folder:
        # Where the registry is may have come from Vault, which the child does not ask again.
        process = _run_python(
            _DOWNLOAD, reference, folder, str(settings.home),
            PULLRISK_MLFLOW_URI=settings.tracking_uri,
        )  # fmt: skip
        path = Path(folder) / MODEL_FILE
        if process.returncode or not path.exists():
            text = process.stderr.strip() or f"the download ended with {process.returncode}"
            raise ModelError(f"model {reference} cannot be had: {text}")
        return path.read_bytes()


def _run_python(code: str, *arguments: str, **variables: str) -> "CompletedProcess[str]":
    """Run code in a process of its own, with whose end the memory that mlflow takes is free."""
    command, environment = [sys.executable, "-c", code, *arguments], os.environ | variables
    return run(  # noqa: S603  # our own
        command, capture_output=True, text=True, check=False, env=environment
    )


def _loaded(bundle: "Bundle", source: str, *, registered: str | None = None) -> "LoadedModel":
    from pullrisk.serve.models import LoadedModel

    version = f"sha256:{sha256(bundle.data).hexdigest()[:16]}"
    return LoadedModel(bundle, version, source, datetime.now(UTC), registered)
