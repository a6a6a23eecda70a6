"""From settings to the scoring service: composed anew in every worker process."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.errors import SettingsError
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import github_site, open_lake, open_store, operating_points
from pullrisk.wiring.app import make_app
from pullrisk.wiring.dashboard import Dashboard
from pullrisk.wiring.fetching import bot_names
from pullrisk.wiring.provision import provide, with_secrets
from pullrisk.wiring.served_models import load_model
from pullrisk.wiring.setup import make_setup
from pullrisk.wiring.sign_in import make_sign_in

if TYPE_CHECKING:
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets import Secrets, Snapshot
    from pullrisk.serve.lifecycle import Lifecycle
    from pullrisk.serve.service import Service

STAGE: Final = "model-serving"
_KEYS: Final = frozenset(("api_keys", "admin_keys"))
_LAKE: Final = frozenset(
    ("do_spaces_endpoint", "do_spaces_bucket", "do_spaces_key", "do_spaces_secret")
)


class Current:
    """The settings as the secrets are now: rotated ones take their place without a restart."""

    def __init__(self, settings: Settings, secrets: "Secrets | None") -> None:
        self.settings, self.secrets = settings, secrets

    def keys(self) -> tuple[str, ...]:
        """The API keys that Vault or the settings hold."""
        return key_values(self.settings, self.secrets)

    def admin_keys(self) -> tuple[str, ...]:
        """The keys of operators that Vault or the settings hold."""
        return key_values(self.settings, self.secrets, name="admin_keys")

    def follow(self, service: "Service") -> None:
        """Hand each rotated secret to what uses it, from the secrets' own thread."""
        if self.secrets is None:
            return

        def changed(names: frozenset[str], now: "Snapshot") -> None:
            self.settings = with_secrets(self.settings, now.values)
            if names & _KEYS:
                service.refresh_keys()
            if "mongo_uri" in names:
                service.replace(store=_store(self.settings))
            if names & _LAKE:
                service.replace(lake=open_lake(self.settings))
            service.log.info("secrets rotated", names=sorted(names))

        self.secrets.on_change(changed)


def make_worker(settings: Settings, shared: Path) -> "Lifecycle":
    """The application of one worker, with its own login at Vault where there is one.

    `shared` is a folder of all workers.
    """
    from pullrisk.serve.api import make_api
    from pullrisk.serve.dependencies import Dependencies
    from pullrisk.serve.keys import Keys
    from pullrisk.serve.loaded_model import LastGood
    from pullrisk.serve.logs import logger, stdout_buffer
    from pullrisk.serve.server import metrics_of, running
    from pullrisk.serve.service import Service
    from pullrisk.serve.tracing import tracing

    settings, secrets = provide(settings, STAGE)
    current, options = Current(settings, secrets), settings.serve
    app = make_app(current)
    sign_in = make_sign_in(current, shared)
    has_admin = options.admin_keys_file is not None or bool(current.admin_keys())
    dependencies = Dependencies(
        lake=open_lake(settings),
        store=_store(settings),
        load_model=lambda: load_model(current.settings),
        keys=Keys(file=options.keys_file, source=current.keys),
        points=operating_points(settings),
        site=github_site(settings),
        secrets=secrets,
        last_good=LastGood(shared),
        tracing=tracing(os.environ),
        has_store=lambda: has_store(current.settings),
        bot_names=bot_names(settings),
        webhooks=None if app is None else app.webhooks,
        sign_in=sign_in,
        setup=make_setup(settings, STAGE, sessions=sign_in.sessions, http=sign_in.http),
        admin=Keys(file=options.admin_keys_file, source=current.admin_keys) if has_admin else None,
    )
    service = Service(
        options, dependencies, metrics=metrics_of(options), log=logger(stdout_buffer())
    )
    current.follow(service)
    dashboard = Dashboard(current, None if app is None else app.queue)
    whole = partial(running, for_people=settings.log_format == "console")
    for part in (app, dashboard):
        whole = whole if part is None else partial(part.running, whole)
    return make_api(service, whole, dashboard.routers())


def has_served(shared: Path) -> bool:
    """Whether a worker of this folder ever had a model to answer with."""
    from pullrisk.serve.loaded_model import NAME

    return (shared / NAME).exists()


def key_values(
    settings: Settings, secrets: "Secrets | None", *, name: str = "api_keys"
) -> tuple[str, ...]:
    """The API keys that Vault or the settings hold now; `name` may be `admin_keys`."""
    from pullrisk.secrets.names import split_values

    found = getattr(settings, name) if secrets is None else secrets.find(name)
    return () if found is None else split_values(found)


def refuse_open(settings: Settings) -> None:
    """Raise SettingsError if other machines could connect and nobody needs a key."""
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


def has_store(settings: Settings) -> bool:
    """Whether a pull store is named, or lies where one does by default."""
    return settings.store is not None or Path(settings.store_uri).exists()


def _store(settings: Settings) -> "PullStore":
    """The pull store, which gives up before a client does."""
    return open_store(settings, patience=settings.serve.reach)
