"""`pullrisk doctor`: what is configured, reachable and fresh, and what is broken."""

from collections.abc import Iterator, Sequence
from typing import Final

import typer
from rich.text import Text

from pullrisk.cli import options
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import load_settings
from pullrisk.errors import SettingsError
from pullrisk.wiring.checks import Check, broken, environment_checks, state_checks

_STYLE: Final = {"ok": "green", "absent": "dim", "stale": "yellow", "broken": "bold red"}


def run(home: options.Home = None, as_json: options.Json = False) -> None:
    """Say what is configured, reachable, fresh, and broken.

    ok works, absent is not there yet or not needed, stale works but is behind, broken has to
    be repaired. The exit code is 1 when something is broken.

    [bold]Examples[/bold]

      pullrisk doctor

      pullrisk doctor --json | jq '.[] | select(.state != "ok")'
    """
    checks = list(_checks(home=home))
    if as_json:
        print_json(checks)
    else:
        print_checks(checks)
    if any(one.state == "broken" for one in checks):
        raise typer.Exit(1)


def print_checks(checks: Sequence[Check]) -> None:
    """A line each."""
    rows: list[list[str | Text]] = [
        [Text(one.state, style=_STYLE[one.state]), one.what, one.found, one.todo] for one in checks
    ]
    print_table(("state", "what", "found", "to do"), rows)


def _checks(**given: object) -> Iterator[Check]:
    yield from environment_checks()
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        yield broken("settings", error)
        return
    yield from state_checks(settings)
