"""`pullrisk serve`: the scoring service."""

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.session import load_settings
from pullrisk.errors import MissingExtraError
from pullrisk.settings import Settings, load

Host: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where to listen.", show_default=False)
]
Port: TypeAlias = Annotated[
    int | None, typer.Option("--port", "-p", metavar="N", help="Where to listen: 8080.")
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Processes: 1.", show_default=False)
]
KeysFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="API keys, one a line; read again when it changes."),
]


def run(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    model: options.Model = None,
    keys_file: KeysFile = None,
    home: options.Home = None,
) -> None:
    """Answer for pull requests over HTTP: risk, novelty, and the reasons.

    /docs lists the routes. SIGTERM drains and stops, SIGHUP loads the model anew. Whoever
    listens beyond this machine has to set keys. Every other setting is PULLRISK_SERVE__NAME.

    [bold]Examples[/bold]

      pullrisk serve --port 8080

      curl --json @pull.json localhost:8080/v1/score
    """
    settings = with_options(
        load_settings(home=home), host=host, port=port, workers=workers, model=model,
        keys_file=keys_file,
    )  # fmt: skip
    for library in ("granian", "prometheus_client", "structlog", "uvloop"):
        if find_spec(library) is None:
            raise MissingExtraError.of(library, "serve")
    raise typer.Exit(serve(settings))


def with_options(settings: Settings, **overrides: object) -> Settings:
    """The settings with the command line's options of the service."""
    named = {name: value for name, value in overrides.items() if value is not None}
    if not named:
        return settings
    return load(
        home=settings.home, serve={**settings.serve.model_dump(exclude_unset=True), **named}
    )


def serve(settings: Settings) -> int:
    """Run the service until it is told to stop; the exit code."""
    from pullrisk.wiring.service import refuse_open

    refuse_open(settings)
    with TemporaryDirectory(prefix="pullrisk-serve-") as folder:
        shared = Path(folder)
        if settings.serve.workers > 1:
            # read when prometheus_client is imported
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared / "metrics")
            (shared / "metrics").mkdir()
        return _run(settings, shared)


def _run(settings: Settings, shared: Path) -> int:
    # Arrow's own pool keeps what it once had; a worker reads much at once, and seldom.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from pullrisk.serve.server import run as run_server
    from pullrisk.wiring.service import has_served, make_worker
    from pullrisk.wiring.sign_in import write_session_key

    write_session_key(shared)
    return run_server(
        settings.serve,
        partial(make_worker, settings, shared),
        has_served=partial(has_served, shared),
    )
