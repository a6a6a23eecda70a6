"""The command line. `main` runs it; each command is a module of this package, imported late."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from pullrisk.cli.display.console import colour_typer, fail, note
from pullrisk.cli.display.log import json_lines, write_json_lines
from pullrisk.errors import PullriskError

INTERRUPTED = 130
UNEXPECTED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv by default) and return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    write_json_lines(os.environ.get("PULLRISK_LOG_FORMAT") == "json")
    try:
        code = _run(arguments)
    except PullriskError as error:
        code = _fail(str(error), code=error.exit_code)
    except BrokenPipeError:
        code = UNEXPECTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if os.environ.get("PULLRISK_DEBUG"):
            raise
        code = _fail(
            f"unexpected {type(error).__name__}: {error}\n"
            "  this is a defect of pullrisk; PULLRISK_DEBUG=1 shows the traceback",
            code=UNEXPECTED,
        )
    if code == INTERRUPTED:
        note("stopped; run the same command again to continue")
    _flush()
    return code


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


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; without this, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
