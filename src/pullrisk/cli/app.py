"""The table of commands, each imported only when it runs: `pullrisk --help` stays instant."""

import os
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.core import TyperCommand, TyperGroup

from pullrisk.cli.display.console import Colour, choose_colour, colour_typer, named

if TYPE_CHECKING:
    # typer carries its own copy of click and names these nowhere else.
    from typer._click import Command, Context, HelpFormatter

COMMANDS: Final = {
    "fetch": "Read pull requests from GitHub, files or a clone into the store.",
    "preprocess": "Replay the store into the feature table and histories.",
    "executor": "Be an executor of Spark; its driver starts it in a pod.",
    "train": "Train the network on matured outcomes and register it.",
    "evaluate": "Judge a model on later pull requests, beside baselines.",
    "score": "Score pull requests: the risk, and what drives it most.",
    "explain": "Tell the whole brief of a pull request.",
    "top": "List what is open and recent, the riskiest first.",
    "check": "Brief the branch in hand, before a pull is opened of it.",
    "serve": "Answer for pull requests over HTTP.",
    "deliveries": "List what became of a GitHub App's webhooks, and try again.",
    "feedback": "List what people answered to scores at pull requests.",
    "golden": "Pin the served model by its answers, hold a service to them.",
    "report": "Write one HTML page: quality, what drives risk, what to read.",
    "monitor": "Say whether a model still fits: drift, outcomes, freshness.",
    "models": "List, compare, promote and roll back registered models.",
    "run": "All of it in one process, from files to the report.",
    "store": "Count what a pull store holds, copy it, or write its records to a file.",
    "doctor": "Say what is configured, reachable, fresh, and broken.",
    "secrets": "Say what a stage can and cannot read, never a value.",
    "lake": "List the lake's runs, or delete what nothing refers to.",
    "completion": "Print the shell's completion script.",
    "action": "The steps of the GitHub Action.",
}
"""Name → one line of help. The function is `run` of `pullrisk.cli.commands.<name>`; if that
module has COMMANDS, name → function, `run` only explains them."""

HIDDEN: Final = frozenset({"action"})
"""Commands that programs run and no person: the main help does not list them."""

COMPLETE: Final = "_PULLRISK_COMPLETE"
"""The variable by which a shell asks for completions."""
_CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


class PlainHelp:
    """Help that is coloured only as `display.console` decides."""

    def format_help(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Print the help."""
        colour_typer("stdout")
        with named("stdout"):
            super().format_help(ctx, formatter)  # type: ignore[misc]  # of typer


class PlainCommand(PlainHelp, TyperCommand):
    """A command with plain help."""


class PlainGroup(PlainHelp, TyperGroup):
    """A group of commands with plain help."""


class LazyGroup(PlainGroup):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: "Context") -> list[str]:
        """Names in the order of a pipeline, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """The name and its line of help; enough to list and to complete it."""
        if cmd_name not in COMMANDS:
            return None
        return self.commands.setdefault(
            cmd_name,
            TyperCommand(
                cmd_name, callback=None, help=COMMANDS[cmd_name], hidden=cmd_name in HIDDEN
            ),
        )

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        """Import the command that is called."""
        for each in COMMANDS:
            self.get_command(ctx, each)  # so that a typing error finds its neighbours
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> "Command":
    """Import the module of a command and make the command of it."""
    module = import_module(f"pullrisk.cli.commands.{name}")
    functions = getattr(module, "COMMANDS", None)
    application = typer.Typer(
        cls=PlainGroup,
        add_completion=False,
        no_args_is_help=bool(functions),
        context_settings=_CONTEXT,
    )
    if functions:
        application.callback()(module.run)
    for own, function in (functions or {name: module.run}).items():
        application.command(own, cls=PlainCommand, context_settings=_CONTEXT)(function)
    command = typer.main.get_command(application)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        each.help = _flowing(each.help or "")
    return command


def _flowing(text: str) -> str:
    """Join the lines of each paragraph, so that it fills the terminal; examples, indented, stay."""
    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(
        paragraph if "\n " in f"\n{paragraph}" else paragraph.replace("\n", " ")
        for paragraph in paragraphs
    )


def group() -> TyperGroup:
    """The whole command line."""
    if COMPLETE in os.environ:
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()  # registers the shells that can be completed
    application = typer.Typer(
        cls=LazyGroup,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings=_CONTEXT,
    )
    application.callback()(_top)
    return typer.main.get_group(application)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"pullrisk {version('pullrisk')}")
        raise typer.Exit


def _choose_config(file: Path | None) -> None:
    if file is not None:
        os.environ["PULLRISK_CONFIG"] = str(file)  # child processes read it too


def _top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            callback=_choose_config,
            is_eager=True,
            metavar="FILE",
            help="File of settings. [dim](PULLRISK_CONFIG; pullrisk.toml)[/dim]",
            show_default=False,
        ),
    ] = None,
    color: Annotated[
        Colour,
        typer.Option(
            callback=choose_colour,
            is_eager=True,
            help="When to use colours; auto: on a terminal. NO_COLOR and FORCE_COLOR count.",
        ),
    ] = "auto",
) -> None:
    """Tell which pull requests deserve a second look before they merge.

    In a clone, start with [bold]pullrisk top --git .[/bold] (the latest merges) and
    [bold]pullrisk check[/bold] (your branch). Everything stays in one folder, .pullrisk.
    """
