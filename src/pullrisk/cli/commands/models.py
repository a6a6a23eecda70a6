"""`pullrisk models`: the registry, and who is champion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.commands.evaluate import Since
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.models import (
    VERSION_COLUMNS,
    event_text,
    outcome,
    print_comparison,
    print_decision,
    version_row,
)
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session
from pullrisk.errors import SettingsError

if TYPE_CHECKING:
    from pullrisk.train.gate import Decision
    from pullrisk.train.registry import Event

STAGE: Final = "ml-training"
REFUSED: Final = 1
"""Exit code where the gate kept a version out."""

Reference: TypeAlias = Annotated[
    str, typer.Argument(metavar="MODEL", help="A version (3) or an alias (@challenger).")
]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Do it; without, only say what would be done.")
]
Reason: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why, for the audit trail.", show_default=False)
]
By: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Who, for the audit trail; else the user's name.",
                 show_default=False),
]  # fmt: skip


def run() -> None:
    """List registered models, compare two, and say which one is champion.

    [bold]Examples[/bold]

      pullrisk models list

      pullrisk models promote @challenger --yes
    """


def list_(home: options.Home = None, as_json: options.Json = False) -> None:
    """List the registered versions with their aliases and lineage, and the changes of champion.

    [bold]Example[/bold]

      pullrisk models list --json
    """
    from pullrisk.train.registry import events, versions
    from pullrisk.wiring.adapters import tracking

    with open_session(stage=STAGE, home=home, quiet=True) as session:
        place = tracking(session.settings)
        registered, changes = versions(place), events(place)
    if as_json:
        print_json({"versions": registered, "changes": changes})
        return
    if not registered:
        say(f"no model is registered at {place.shown}")
        return
    print_table(
        VERSION_COLUMNS, [version_row(version) for version in registered], right=("version",)
    )
    for event in changes:
        say(event_text(event))


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A version, an alias, or a file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Likewise, or `general`.")],
    since: Since = None,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Compare two models on the matured pull requests that neither of them saw.

    The intervals are of the paired difference, by bootstrap. A registered version that this
    installation cannot run is compared by what it said when it was trained.

    [bold]Example[/bold]

      pullrisk models compare @challenger @champion
    """
    from pullrisk.wiring.promoting import compare as compare_models

    with open_session(stage=STAGE, home=home, quiet=True) as session:
        comparison = compare_models(session, first, second, since=since)
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison, first, second)


def promote(
    model: Reference = "@challenger",
    force: Annotated[
        bool, typer.Option("--force", help="Whatever the gate says; needs a --reason.")
    ] = False,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Ask the gate about a version on today's outcomes, and make it champion if it may be.

    The decision is logged to MLflow either way. Without --yes nothing is moved. The exit code
    is 1 where the gate keeps the version out. --force promotes without asking the gate.

    [bold]Examples[/bold]

      pullrisk models promote --yes

      pullrisk models promote 4 --force --reason "new feature schema" --yes
    """
    if force and not reason:
        raise SettingsError("--force passes over the gate", hint="say why, with --reason TEXT")
    with open_session(stage=STAGE, home=home, quiet=quiet) as session:
        from pullrisk.wiring import promoting

        if force:
            text = f"forced: {reason}"
            event = promoting.move(session, model, by=by, reason=text, yes=yes)
            _say_moved(event, model, as_json=as_json)
            return
        decision, event = promoting.gate(session, model, by=by, reason=reason, yes=yes)
    _say_decided(decision, event, as_json=as_json)


def rollback(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="VERSION", help="Back to this one, not to the one before.",
                     show_default=False),
    ] = None,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Make the champion before this one champion again; the gate lets this one in no more.

    What a cluster serves is the version that Git names: revert that commit too.

    [bold]Example[/bold]

      pullrisk models rollback --reason "misses reverts of migrations" --yes
    """
    if yes and not reason:
        raise SettingsError("a rollback needs a reason", hint="say why, with --reason TEXT")
    with open_session(stage=STAGE, home=home, quiet=True) as session:
        from pullrisk.wiring import promoting

        target, event = promoting.back(session, to, by=by, reason=reason or "", yes=yes)
    _say_moved(event, target, as_json=as_json)


def register(
    bundle: Annotated[Path, typer.Argument(metavar="FILE", help="A model file.")],
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Register a model file as challenger, such as one kept while the registry was away.

    What its training would have logged is read from the JSON file beside it, where there is
    one. A file that is registered already stays the version it is.

    [bold]Example[/bold]

      pullrisk models register .pullrisk/unregistered/0f1e2d3c4b5a6978.onnx
    """
    from pullrisk.train.pending import register as register_file
    from pullrisk.wiring.adapters import tracking

    with open_session(stage=STAGE, home=home, quiet=True) as session:
        tracked, new = register_file(tracking(session.settings), bundle)
    if as_json:
        print_json({"version": tracked.version, "run_id": tracked.run_id, "new": new,
                    "aliases": tracked.aliases})  # fmt: skip
        return
    say(f"registered as version {tracked.version}" if new else f"already version {tracked.version}")
    if new:
        say("ask the gate: pullrisk models promote --yes")


def _say_decided(decision: "Decision", event: "Event | None", *, as_json: bool) -> None:
    if as_json:
        print_json({"decision": decision, "change": event})
    else:
        print_decision(decision)
        say(event_text(event) if event else outcome(decision))
        if decision.promote and event is None:
            warn("nothing was moved: add --yes")
    if not decision.promote:
        raise typer.Exit(REFUSED)


def _say_moved(event: "Event | None", target: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"version": target, "change": event})
    elif event is not None:
        say(event_text(event))
    else:
        warn(f"{target} would become champion; nothing was moved: add --yes")


COMMANDS: Final = {
    "list": list_,
    "compare": compare,
    "promote": promote,
    "rollback": rollback,
    "register": register,
}
