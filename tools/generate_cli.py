"""Prints docs/cli.md from the commands' own help."""

import json
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
# One process says the help of all: the width of a page is read when typer is imported.
_SAY = """
import contextlib, io, json, sys
from pullrisk.cli import main
texts = []
for name in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        code = main([*name.split(), "--help"])
    assert code == 0, name
    texts.append(text.getvalue())
json.dump(texts, sys.stdout)
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *sections()])


def sections() -> Iterator[str]:
    """The top level, then every command, each before those below it."""
    listed = ["", *(name for command in COMMANDS for name in names(command))]
    for name, text in zip(listed, helps(listed), strict=True):
        yield f"## pullrisk {name}".rstrip() + f"\n\n```text\n{text}\n```\n"


def names(command: str) -> Iterator[str]:
    """The command and those below it."""
    yield command
    loaded = load(command)
    if isinstance(loaded, TyperGroup):
        yield from (f"{command} {name}" for name in loaded.commands)


def helps(listed: list[str]) -> list[str]:
    """The help of each command, as a terminal of 88 columns without colours shows it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULLRISK_")}
    ran = subprocess.run(
        [sys.executable, "-c", _SAY],
        env=kept | {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"},
        input=json.dumps(listed),
        capture_output=True,
        text=True,
        check=True,
    )
    return [_trimmed(text) for text in json.loads(ran.stdout)]


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).strip()


if __name__ == "__main__":
    main()
