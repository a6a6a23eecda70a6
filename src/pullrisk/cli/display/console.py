"""Standard output and standard error: when they are coloured, and single lines on them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from pullrisk.cli.display.log import json_line, json_lines
from pullrisk.cli.display.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

Colour = Literal["auto", "always", "never"]
Stream = Literal["stdout", "stderr"]

STREAM_NAMES: Final[dict[Stream, str]] = {"stdout": "standard output", "stderr": "standard error"}
_CHOICE: Final[dict[str, Colour]] = {}
"""What --color says, under "colour"; of the process, as the streams are."""


def choose_colour(choice: Colour) -> None:
    """Set when to use colours; `auto` is if the stream is a terminal."""
    _CHOICE["colour"] = choice


def is_terminal(stream: Stream = "stdout") -> bool:
    """Whether the stream is a terminal."""
    return bool(getattr(sys, stream).isatty())


def is_dumb() -> bool:
    """Whether the terminal understands no control sequences."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def is_coloured(stream: Stream = "stdout") -> bool:
    """Whether colours go to the stream.

    --color decides, else NO_COLOR and FORCE_COLOR (no-color.org, force-color.org), else whether
    the stream is a terminal. Nothing else counts: rich and typer also look for CI servers, whose
    logs and files would be full of escape codes.
    """
    choice = _CHOICE.get("colour", "auto")
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "") not in ("", "0"):
        return True
    return is_terminal(stream) and not is_dumb()


def console(stream: Stream = "stdout") -> "Console":
    """A rich console over the stream, with colours only if `is_coloured`."""
    from rich.console import Console

    coloured = is_coloured(stream)
    return Console(
        stderr=stream == "stderr",
        highlight=False,
        soft_wrap=not is_terminal(stream),
        force_terminal=coloured or is_terminal(stream),
        color_system=_colour_system(stream) if coloured else None,
    )


def _colour_system(stream: Stream) -> Literal["auto", "standard"]:
    """The colours that the terminal shows; without a terminal the standard sixteen."""
    return "auto" if is_terminal(stream) else "standard"


def colour_typer(stream: Stream) -> None:
    """Make typer's help and errors follow `is_coloured`, whatever it found in the environment."""
    from typer import rich_utils

    coloured = is_coloured(stream)
    rich_utils.FORCE_TERMINAL = coloured
    rich_utils.COLOR_SYSTEM = _colour_system(stream) if coloured else None


def write_bytes(data: bytes) -> None:
    """Write to standard output, whatever its encoding is."""
    with named("stdout"):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextmanager
def named(stream: Stream) -> Iterator[None]:
    """Let an error of writing say where, as those of files do."""
    try:
        yield
    except OSError as error:
        error.filename = STREAM_NAMES[stream]
        raise


def say(text: str, *, style: str = "") -> None:
    """Write one line to standard output."""
    _line("stdout", "info", text, style)


def note(text: str) -> None:
    """Write one line to standard error."""
    _line("stderr", "info", text)


def warn(text: str) -> None:
    """Write a warning, one line, to standard error."""
    _line("stderr", "warning", text, "yellow")


def fail(text: str, *, traceback: str | None = None) -> None:
    """Say on standard error why a command fails."""
    if json_lines():
        more = {} if traceback is None else {"traceback": traceback}
        print(json_line("error", text, **more), file=sys.stderr, flush=True)
        return
    if traceback is not None:
        print(plain(traceback), file=sys.stderr)
    print(f"error: {plain(text)}", file=sys.stderr)


def _line(stream: Stream, level: str, text: str, style: str = "") -> None:
    if json_lines():
        print(json_line(level, text.strip()), file=getattr(sys, stream), flush=True)
        return
    from rich.text import Text

    with named(stream):
        console(stream).print(Text(plain(text), style))
