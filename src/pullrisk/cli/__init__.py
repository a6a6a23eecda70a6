"""The command line. `main` runs it; each command is a module of this package, imported late."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

from pullrisk.cli.display.console import colour_typer, fail, named, note
from pullrisk.cli.display.log import json_lines, write_json_lines
from pullrisk.cli.display.plain import plain
from pullrisk.errors import PullriskError, is_full

INTERRUPTED = 130
UNEXPECTED = 1
_UNLOADED = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
"""What the loader says of a library that found no room in memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv by default) and return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    _prepare_streams()
    write_json_lines(os.environ.get("PULLRISK_LOG_FORMAT") == "json")
    try:
        return _flush(_explained(arguments))
    except OSError:  # there is nobody left who could be told
        _discard_output()
        return UNEXPECTED


def _prepare_streams() -> None:
    """A character that the terminal's code page lacks must not end a command, nor must a stream
    that was closed (`>&-`).
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # until the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _explained(arguments: Sequence[str] | None) -> int:
    """Run it, and say why it failed."""
    try:
        code = _run(arguments)
    except PullriskError as error:
        code = _fail(str(error), code=error.exit_code)
    except BrokenPipeError:
        code = UNEXPECTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and is_full(error):
            return _fail(_unwritten(error), code=UNEXPECTED)
        if _lacks_memory(error):
            return _say_memory()
        if os.environ.get("PULLRISK_DEBUG"):
            raise
        code = _fail(
            f"unexpected {type(error).__name__}: {error}\n"
            "  this is a defect of pullrisk; PULLRISK_DEBUG=1 shows the traceback",
            code=UNEXPECTED,
        )
    if code == INTERRUPTED:
        note("stopped; run the same command again to continue")
    return code


def _lacks_memory(error: BaseException) -> bool:
    """Whether it is memory that was missing; the loader of a library says so in its own way."""
    return isinstance(error, MemoryError) or (
        isinstance(error, ImportError) and any(words in str(error) for words in _UNLOADED)
    )


def _say_memory() -> int:
    """Say it without anything that would have to be imported first."""
    os.write(2, b"error: there is too little memory\n  give it more, or set --workers lower\n")
    return UNEXPECTED


def _run(arguments: Sequence[str] | None) -> int:
    from typer import Abort

    from pullrisk.cli.app import group

    try:
        code = group().main(args=arguments, prog_name="pullrisk", standalone_mode=False)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Abort:
        return UNEXPECTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer exports no name of its usage errors
            raise
        return _refuse(error)
    return code if isinstance(code, int) else 0


def _refuse(error: Exception) -> int:
    """Show what is wrong with the command line as typer does; returns the exit code."""
    if json_lines():
        fail(error.format_message())  # type: ignore[attr-defined]  # _run looked
    else:
        from typer import rich_utils

        colour_typer("stderr")
        if hasattr(error, "message"):
            error.message = plain(error.message)
        rich_utils.rich_format_error(error)  # type: ignore[arg-type]  # a ClickException
    return int(getattr(error, "exit_code", UNEXPECTED))


def _fail(message: str, *, code: int) -> int:
    from pullrisk.redaction import REDACTOR, redacted_traceback

    error = sys.exc_info()[1]
    traceback = redacted_traceback(error) if error and os.environ.get("PULLRISK_DEBUG") else None
    fail(REDACTOR.text(message), traceback=traceback)
    return code


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: work under way is rolled back, not torn."""
    raise KeyboardInterrupt


def _unwritten(error: OSError) -> str:
    where = error.filename or "a file"
    if is_full(error):
        return (
            f"the disk is full: {where} cannot be written\n"
            "  free some space and run the same command again"
        )
    return f"{where} cannot be written: {error.strerror}"


def _flush(code: int) -> int:
    """Write out what is left of standard output; returns the exit code."""
    try:
        with named("stdout"):
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        if code == 0:
            code = _fail(_unwritten(error), code=UNEXPECTED)
        _discard_output()
    return code


def _discard_output() -> None:
    """Without this, Python would try once more at its exit, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
