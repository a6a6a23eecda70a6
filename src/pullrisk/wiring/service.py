"""From settings to the scoring service: composed anew in every worker process."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.errors import SettingsError
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import (
    bot_names,
    github_site,
    open_lake,
    open_scores,
    open_store,
    operating_points,
)
from pullrisk.wiring.app import App, make_app
from pullrisk.wiring.provision import Current, provide, with_secrets
from pullrisk.wiring.served_models import load_served_model, read_registry
from pullrisk.wiring.sign_in import make_setup, make_sign_in

if TYPE_CHECKING:
    from pullrisk.dashboard.reading import Tables
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets.source import Snapshot
    from pullrisk.serve.lifecycle import Lifecycle
    from pullrisk.serve.service import Service

STAGE: Final = "model-serving"
_KEYS: Final = frozenset(("api_keys", "admin_keys"))
_LAKE: Final = frozenset(
    ("do_spaces_endpoint", "do_spaces_bucket", "do_spaces_key", "do_spaces_secret")
)


def make_worker(settings: Settings, shared: Path) -> "Lifecycle":
    """The application of one worker, with its own login at Vault where there is one.

    `shared` is a folder of all workers.
    """
    from pullrisk.dashboard.figures import FiguresCache
    from pullrisk.dashboard.reading import RegistryReader, Tables
    from pullrisk.dashboard.routes import make_pages
    from pullrisk.serve.api import make_api
    from pullrisk.serve.dependencies import Dependencies
    from pullrisk.serve.keys import Keys
    from pullrisk.serve.logs import stdout_logger
    from pullrisk.serve.metrics import Metrics
    from pullrisk.serve.models import LastGood
    from pullrisk.serve.service import Service
    from pullrisk.serve.tracing import tracing

    settings, secrets = provide(settings, STAGE)
    current, options = Current(settings, secrets), settings.serve
    scores = open_scores(settings, **current.server())
    app = make_app(current, scores)
    sign_in = make_sign_in(current, shared)
    has_admin = options.admin_keys_file is not None or bool(current.admin_keys())
    dependencies = Dependencies(
        lake=open_lake(settings),
        store=_store(settings),
        load_model=lambda: load_served_model(current.settings),
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
        options, dependencies, metrics=Metrics(together=options.workers > 1), log=stdout_logger()
    )
    _follow_rotations(current, service)
    registry = RegistryReader(lambda: read_registry(current.settings))
    tables = Tables(scores, FiguresCache(), registry, None if app is None else app.queue)
    lifespan = partial(
        _lifespan, app=app, tables=tables, for_people=settings.log_format == "console"
    )
    return make_api(service, lifespan, make_pages(tables))


@asynccontextmanager
async def _lifespan(
    service: "Service",
    *,
    app: App | None,
    tables: "Tables",
    for_people: bool,
) -> AsyncIterator[None]:
    """A worker's life: the service, and beside it the App and what publishes scores for pages."""
    from pullrisk.dashboard.publishing import publishing
    from pullrisk.serve.server import lifespan

    with closing(tables.scores):
        async with (
            lifespan(service, for_people=for_people),
            nullcontext() if app is None else app.running(service),
            publishing(service, tables),
        ):
            yield


def _follow_rotations(current: Current, service: "Service") -> None:
    """Hand each rotated secret to what uses it, from the secrets' own thread."""

    def changed(names: frozenset[str], now: "Snapshot") -> None:
        current.settings = with_secrets(current.settings, now.values)
        if "mongo_uri" in names:
            service.replace(store=_store(current.settings))
        if names & _LAKE:
            service.replace(lake=open_lake(current.settings))
        if names & _KEYS:  # last: a file of keys that cannot be read keeps nothing else back
            service.refresh_keys()
        service.log.info("secrets rotated", names=sorted(names))

    if current.secrets is not None:
        current.secrets.on_change(changed)


def has_served(shared: Path) -> bool:
    """Whether a worker of this folder ever had a model to answer with."""
    from pullrisk.serve.models import NAME

    return (shared / NAME).exists()


def refuse_open(settings: Settings) -> None:
    """Raise SettingsError if other machines could connect and nobody needs a key."""
    options = settings.serve
    if options.loopback or options.keys_file is not None:
        return
    with closing(Current(*provide(settings, STAGE))) as current:
        if current.keys():
            return
    raise SettingsError(
        f"serve.host is {options.host} and no API key is set: anybody could ask",
        hint="set PULLRISK_API_KEYS or PULLRISK_SERVE__KEYS_FILE, or listen at 127.0.0.1",
    )


def has_store(settings: Settings) -> bool:
    """Whether a pull store is named, or lies where one does by default."""
    return settings.store is not None or Path(settings.store_uri).exists()


def _store(settings: Settings) -> "PullStore":
    """The pull store, which gives up before a client does."""
    return open_store(settings, retry_seconds=settings.serve.reach)
