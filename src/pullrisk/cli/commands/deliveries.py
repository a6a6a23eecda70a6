"""`pullrisk deliveries`: what became of the webhooks of a GitHub App, and try again."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError

Shown: TypeAlias = Annotated[
    Literal["waiting", "done", "dead"] | None,
    typer.Option("--state", help="Only those that wait, are done, or are given up."),
]
Limit: TypeAlias = Annotated[
    int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many, the latest first.")
]
Ids: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Deliveries that are dead.", show_default=False),
]
All: TypeAlias = Annotated[bool, typer.Option("--all", help="All that are dead.")]


def run() -> None:
    """List the deliveries of a GitHub App's webhooks, and repeat those that were given up.

    [bold]Examples[/bold]

      pullrisk deliveries list --state dead

      pullrisk deliveries repeat --all
    """


def show(
    state: Shown = None,
    limit: Limit = 20,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """List deliveries, the latest first, and count them all.

    [bold]Examples[/bold]

      pullrisk deliveries list

      pullrisk deliveries list --state dead --json
    """
    from pullrisk.wiring.adapters import open_deliveries

    with (
        open_session(home=home, quiet=True) as session,
        closing(open_deliveries(session.settings)) as queue,
    ):
        states, counts = queue.states(state, limit=limit), queue.counts()
    if as_json:
        print_json(states)
        return
    columns = ("received", "event", "subject", "state", "attempts", "id", "error")
    rows = [
        (
            f"{each.received_at:%Y-%m-%d %H:%M:%S}",
            each.event,
            each.subject,
            each.state,
            f"{each.attempts}",
            each.id,
            each.error or "",
        )
        for each in states
    ]
    print_table(columns, rows, right=("attempts",))
    say(", ".join(f"{count:,} {name}" for name, count in counts.items()))


def repeat(ids: Ids = None, everything: All = False, home: options.Home = None) -> None:
    """Have deliveries that were given up handled again, from the first attempt.

    [bold]Examples[/bold]

      pullrisk deliveries repeat 72d3162e-cc78-11e3-81ab-4c9367dc0958
    """
    from pullrisk.wiring.adapters import open_deliveries

    if bool(ids) == everything:
        raise InputError("name deliveries, or give --all", hint="pullrisk deliveries list")
    with (
        open_session(home=home, quiet=True) as session,
        closing(open_deliveries(session.settings)) as queue,
    ):
        repeated = queue.repeat(ids or None, now=datetime.now(UTC))
    missing = 0 if everything else len(set(ids or ())) - repeated
    if missing:
        raise InputError(
            f"{missing} of them are not dead", hint="pullrisk deliveries list --state dead"
        )
    say(f"{repeated:,} deliveries wait again")


COMMANDS: Final = {"list": show, "repeat": repeat}
"""The commands below `pullrisk deliveries`."""
