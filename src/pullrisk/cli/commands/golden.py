"""`pullrisk golden`: pin a model by its answers, and hold a running service to them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk import atomic
from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_checks, print_json
from pullrisk.cli.session import load_settings
from pullrisk.errors import InputError, SettingsError

if TYPE_CHECKING:
    from pullrisk.wiring.checks import Check

MODEL_ENV: Final = "model.env"
EXPECTED: Final = "expected.json"
_BUNDLED: Final = "general"
_HEAD: Final = """\
# The model that is served: a version of the registry, or `general`, which the image brings.
# Its answers stand in expected.json: `pullrisk golden record` writes both.
"""

Url: TypeAlias = Annotated[
    str, typer.Argument(metavar="URL", help="The service: http://127.0.0.1:8080.")
]
Expected: TypeAlias = Annotated[
    Path, typer.Option("--expected", metavar="FILE", help="What `golden record` wrote.")
]
Wait: TypeAlias = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0, help="Ask again for so long until it holds."),
]
Pinned: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A registered version (3), or `general`; no alias moves."),
]
Files: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="GitHub's REST objects or records, plain or gzip; - is standard input.",
    ),
]
Count: TypeAlias = Annotated[
    int, typer.Option("--count", metavar="N", min=1, max=100, help="How many pull requests.")
]
Folder: TypeAlias = Annotated[
    Path, typer.Option("--folder", metavar="DIR", help="Where model.env and expected.json go.")
]


def run() -> None:
    """Pin the model that is served by its answers, and hold a service to them."""


def check(url: Url, expected: Expected, wait: Wait = 0.0, as_json: options.Json = False) -> None:
    """Say whether a service may get traffic: ready, the pinned model, its golden predictions.

    The exit code is 1 where it may not. The API key is PULLRISK_API_KEYS', or Vault's.

    [bold]Examples[/bold]

      pullrisk golden check http://127.0.0.1:8080 --expected expected.json

      pullrisk golden check http://model-serving:8080 --expected expected.json --wait 60
    """
    from pullrisk.wiring.golden import Service, api_key, read

    golden, key = read(expected), api_key(load_settings())
    service, deadline = Service(url, key), time.monotonic() + wait
    checks = list(service.checks(golden))
    while _broken(checks) and time.monotonic() < deadline:
        time.sleep(min(2.0, wait))
        checks = list(service.checks(golden))
    if as_json:
        print_json(checks)
    else:
        print_checks(checks)
    if _broken(checks):
        raise typer.Exit(1)


def record(
    model: Pinned,
    file: Files,
    count: Count = 10,
    folder: Folder = Path("argo-apps/base/model-serving"),
    home: options.Home = None,
) -> None:
    """Pin a model: its version into model.env, what it answers into expected.json.

    Commit both: the roll-out of a model is that commit, and taking it back is `git revert`. A
    registered version is read from the registry of the settings (PULLRISK_MLFLOW_URI).

    [bold]Examples[/bold]

      pullrisk golden record 3 --file sample/kedro-org__kedro.jsonl.gz
    """
    import msgspec

    from pullrisk.fetch.files import read_file
    from pullrisk.serve.golden import record as write_down
    from pullrisk.wiring.served_models import load_served_model

    if model != _BUNDLED and not model.isdecimal():
        raise SettingsError(
            f"{model} is no exact version",
            hint="name a number of the registry, or `general`: what Git pins must never move",
        )
    settings = load_settings(home=home, serve={"model": model})
    loaded = load_served_model(settings)
    objects = (data for path in file for _, data in read_file(path))
    golden = write_down(loaded, pinned=model, lines=objects, count=count)
    _write(folder / EXPECTED, msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n")
    _write(folder / MODEL_ENV, f"{_HEAD}version={model}\n".encode())
    say(f"{folder}: pinned {model}, {golden.version}, schema {golden.schema_hash}")


def _write(path: Path, data: bytes) -> None:
    try:
        atomic.replace(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _broken(checks: "list[Check]") -> bool:
    return any(each.state != "ok" for each in checks)


COMMANDS = {"check": check, "record": record}
