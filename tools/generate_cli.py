"""Prints docs/cli.md from the commands' own help."""

import os
import subprocess
import sys
from collections.abc import Iterator

from typer.core import TyperGroup

from pullrisk.cli.app import COMMANDS, load

HEAD = """\
# Command line

Generated from the commands' own help by `make docs`; a test compares the two.
"""
WIDTH = "88"
_RUN = "import sys; from pullrisk.cli import main; sys.exit(main())"


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *sections()])


def sections() -> Iterator[str]:
    """The top level, then every command, each before those below it."""
    for name in ("", *(one for command in COMMANDS for one in names(command))):
        yield f"## pullrisk {name}".rstrip() + f"\n\n```text\n{help_of(name)}\n```\n"


def names(command: str) -> Iterator[str]:
    """The command and those below it."""
    yield command
    loaded = load(command)
    if isinstance(loaded, TyperGroup):
        yield from (f"{command} {name}" for name in loaded.commands)


def help_of(command: str) -> str:
    """The help of one command, as a terminal of 88 columns without colours shows it."""
    arguments = [*command.split(), "--help"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULLRISK_")}
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        env=kept | {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in ran.stdout.strip("\n").splitlines()).strip()


if __name__ == "__main__":
    main()
