"""The command line. `main` runs it; each command is a module of this package, imported late."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from pullrisk.errors import PullriskError

INTERRUPTED = 130
UNEXPECTED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv by default) and return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
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
        print("stopped; run the same command again to continue", file=sys.stderr)
    _flush()
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from pullrisk.cli.app import group

    try:
        group().main(args=arguments, prog_name="pullrisk")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _fail(message: str, *, code: int) -> int:
    if os.environ.get("PULLRISK_DEBUG"):
        from pullrisk.redaction import redacted_traceback

        if (error := sys.exc_info()[1]) is not None:
            print(redacted_traceback(error), file=sys.stderr)
    from pullrisk.redaction import REDACTOR

    print(f"error: {REDACTOR.text(message)}", file=sys.stderr)
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
