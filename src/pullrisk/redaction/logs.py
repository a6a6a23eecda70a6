"""Puts the redactor between this process and everything that it writes about itself."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from pullrisk.redaction.redactor import REDACTOR, Redactor


def protect(redactor: Redactor = REDACTOR) -> None:
    """Mask secrets in every log record and in every traceback that Python prints by itself.

    Log records are masked when they are made, so it does not matter which handler or library
    writes them. Hooks that somebody else has set are left alone. Calling it again changes
    nothing.
    """
    factory = logging.getLogRecordFactory()
    if not isinstance(factory, RecordFactory):
        logging.setLogRecordFactory(RecordFactory(redactor))
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _Hook(redactor)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_hook(redactor)


class RecordFactory:
    """Makes log records whose message and traceback are masked already."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._make = logging.getLogRecordFactory()

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        """A record; a message that cannot be formatted keeps its error for the handler."""
        record = self._make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record
        record.msg, record.args = self._redactor.text(message), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redacted_traceback(record.exc_info[1], self._redactor)
        return record


def redacted_traceback(error: BaseException, redactor: Redactor = REDACTOR) -> str:
    """The traceback of an error, without the secrets that its messages may hold."""
    return redactor.text("".join(traceback.format_exception(error)).rstrip("\n"))


class _Hook:
    """Stands in for sys.excepthook."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        print(redacted_traceback(error, self._redactor), file=sys.stderr)


def _thread_hook(redactor: Redactor) -> Callable[[threading.ExceptHookArgs], None]:
    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is None or arguments.exc_type is SystemExit:
            return
        name = arguments.thread.name if arguments.thread else "?"
        shown = redacted_traceback(arguments.exc_value, redactor)
        print(f"Exception in thread {name}:\n{shown}", file=sys.stderr)

    return hook
