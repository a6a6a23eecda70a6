"""From settings to the model that a service loads: a file, the general one, or a registered one."""

import os
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk.errors import ModelError
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import MODEL_FILE, is_registered

if TYPE_CHECKING:
    from pullrisk.dashboard.registry import Registered
    from pullrisk.model.bundle import Bundle
    from pullrisk.serve.loaded_model import LoadedModel
    from pullrisk.serve.registry import Registry

_DOWNLOAD: Final = (
    "import sys; from pullrisk.wiring.served_models import main; sys.exit(main(*sys.argv[1:]))"
)

_LIST: Final = (
    "import sys; from pullrisk.cli import main; sys.exit(main(['models', 'list', '--json']))"
)


def load_model(settings: Settings) -> "LoadedModel":
    """The model that these settings name now. Raises ModelError."""
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.general import GENERAL, general_bundle

    name = settings.serve.model
    if name is not None and is_registered(name):
        return _registered(settings, name)
    own = settings.home / MODEL_FILE
    if name == GENERAL or (name is None and not own.exists()):
        return _loaded(general_bundle(), "general model")
    path = own if name is None else Path(name)
    return _loaded(Bundle.load(path), str(path))


def main(reference: str, folder: str, home: str) -> int:
    """Download a model that is registered in a file: mlflow's memory ends with this process."""
    import shutil

    from pullrisk.errors import PullriskError
    from pullrisk.settings import load
    from pullrisk.train.registry import download
    from pullrisk.wiring.adapters import tracking

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


def read_registry(settings: Settings) -> "Registered":
    """The registered versions, and the changes of champion. Raises ModelError."""
    from pullrisk.dashboard.registry import Registered

    if settings.tracking_uri.startswith(("http://", "https://")):
        try:
            return msgspec.convert(registry(settings).listed(), Registered)
        except msgspec.ValidationError as error:
            raise ModelError(f"{settings.tracking_uri} lists no models: {error}") from None
    if not (settings.home / "mlflow.db").exists():
        return Registered([], [])
    own = os.environ | {"PULLRISK_HOME": str(settings.home)}
    ran = run(  # noqa: S603  # our own
        [sys.executable, "-c", _LIST], capture_output=True, text=True, check=False, env=own
    )
    if ran.returncode:
        raise ModelError(f"the registry cannot be read: {ran.stderr.strip() or 'no answer'}")
    return msgspec.json.decode(ran.stdout, type=Registered)


def _registered(settings: Settings, reference: str) -> "LoadedModel":
    from pullrisk.model.bundle import Bundle

    source = f"registry {reference}"
    if settings.tracking_uri.startswith(("http://", "https://")):
        model = registry(settings).fetch(reference)
        return _loaded(Bundle.of(model.data, source=source), source, registered=model.version)
    data = _from_file(settings, reference)
    known = None if reference.startswith("@") else reference
    return _loaded(Bundle.of(data, source=source), source, registered=known)


def _from_file(settings: Settings, reference: str) -> bytes:
    """The ONNX file of a model in MLflow's own database, which only mlflow can read."""
    with TemporaryDirectory(prefix="pullrisk-") as folder:
        arguments = [sys.executable, "-c", _DOWNLOAD, reference, folder, str(settings.home)]
        # Where the registry is may have come from Vault, which the child does not ask again.
        own = os.environ | {"PULLRISK_MLFLOW_URI": settings.tracking_uri}
        ran = run(  # noqa: S603  # our own
            arguments, capture_output=True, text=True, check=False, env=own
        )
        path = Path(folder) / MODEL_FILE
        if ran.returncode or not path.exists():
            text = ran.stderr.strip() or f"the download ended with {ran.returncode}"
            raise ModelError(f"model {reference} cannot be had: {text}")
        return path.read_bytes()


def _loaded(bundle: "Bundle", source: str, *, registered: str | None = None) -> "LoadedModel":
    from pullrisk.serve.loaded_model import LoadedModel

    version = f"sha256:{sha256(bundle.data).hexdigest()[:16]}"
    return LoadedModel(bundle, version, source, datetime.now(UTC), registered)
