"""From settings to the scoring service: composed anew in every worker process."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pullrisk.bootstrap import MODEL_FILE, open_lake, open_store, operating_points
from pullrisk.errors import ModelError, SettingsError
from pullrisk.provision import provide
from pullrisk.settings import Settings

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.secrets import Secrets
    from pullrisk.serve.app import App
    from pullrisk.serve.server import Worker
    from pullrisk.serve.service import LoadedModel

STAGE: Final = "model-serving"
_DOWNLOAD: Final = (
    "import sys; from pullrisk.cli.serving import main; sys.exit(main(*sys.argv[1:]))"
)


def make_app(settings: Settings) -> "App":
    """The application of one worker, with its own login at Vault where there is one."""
    from pullrisk.serve.app import App
    from pullrisk.serve.keys import Keys
    from pullrisk.serve.logs import logger, stdout_buffer
    from pullrisk.serve.server import metrics_of
    from pullrisk.serve.service import Parts, Service

    settings, secrets = provide(settings, STAGE)
    options = settings.serve
    keys = Keys(file=options.keys_file, source=lambda: key_values(settings, secrets))
    parts = Parts(
        lake=open_lake(settings),
        store=open_store(settings),
        load_model=model_loader(settings),
        keys=keys,
        points=operating_points(settings),
    )
    service = Service(options, parts, metrics=metrics_of(options), log=logger(stdout_buffer()))
    return App(service, allow_open=options.loopback)


def make_worker(settings: Settings) -> "Worker":
    """What granian runs in one process."""
    from pullrisk.serve.server import Worker

    return Worker(make_app(settings))


def key_values(settings: Settings, secrets: "Secrets | None") -> tuple[str, ...]:
    """The API keys that Vault or the settings hold now."""
    from pullrisk.secrets.port import several

    found = settings.api_keys if secrets is None else secrets.find("api_keys")
    return () if found is None else several(found)


def refuse_open(settings: Settings) -> None:
    """SettingsError where other machines could connect and nobody needs a key."""
    options = settings.serve
    if options.loopback or options.keys_file is not None:
        return
    settings, secrets = provide(settings, STAGE)
    try:
        if key_values(settings, secrets):
            return
    finally:
        if secrets is not None:
            secrets.close()
    raise SettingsError(
        f"serve.host is {options.host} and no API key is set: anybody could ask",
        hint="set PULLRISK_API_KEYS or PULLRISK_SERVE__KEYS_FILE, or listen at 127.0.0.1",
    )


def model_loader(settings: Settings) -> "Callable[[], LoadedModel]":
    """Loads the model that the settings name, whenever it is called."""

    def load() -> "LoadedModel":
        from pullrisk.model.bundle import Bundle
        from pullrisk.model.general import GENERAL, general_bundle

        name = settings.serve.model
        if name is not None and (name.startswith("@") or name.isdecimal()):
            return _registered(settings, name)
        own = settings.home / MODEL_FILE
        if name == GENERAL or (name is None and not own.exists()):
            return _loaded(general_bundle(), "general model")
        path = own if name is None else Path(name)
        return _loaded(Bundle.load(path), str(path))

    return load


def main(reference: str, folder: str, home: str) -> int:
    """Download a registered model: mlflow's memory ends with this process."""
    import shutil

    from pullrisk.bootstrap import tracking
    from pullrisk.errors import PullriskError
    from pullrisk.settings import load
    from pullrisk.train.tracking import download

    try:
        found = download(tracking(load(home=home)), reference, Path(folder) / "download")
    except PullriskError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    shutil.copy(found, Path(folder) / MODEL_FILE)
    return 0


def _registered(settings: Settings, reference: str) -> "LoadedModel":
    from pullrisk.model.bundle import Bundle

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
        return _loaded(Bundle.load(path), f"registry {reference}")


def _loaded(bundle: "Bundle", source: str) -> "LoadedModel":
    from pullrisk.serve.service import LoadedModel

    version = f"sha256:{sha256(bundle.data).hexdigest()[:16]}"
    return LoadedModel(bundle, version, source, datetime.now(UTC))
