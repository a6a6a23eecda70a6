"""`pullrisk doctor`: what is configured, reachable and fresh, and what is broken."""

from collections.abc import Iterator

import typer

from pullrisk.cli import options
from pullrisk.cli.display.tables import print_checks, print_json
from pullrisk.cli.session import load_settings
from pullrisk.errors import SettingsError
from pullrisk.wiring.checks import Check, broken, environment_checks, state_checks


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
    if any(each.state == "broken" for each in checks):
        raise typer.Exit(1)


def _checks(**overrides: object) -> Iterator[Check]:
    yield from environment_checks()
    try:
        settings = load_settings(**overrides)
    except SettingsError as error:
        yield broken("settings", error)
        return
    yield from state_checks(settings)
