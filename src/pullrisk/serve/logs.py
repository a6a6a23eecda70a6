"""Logs of the service: one JSON line for each request and each event, through structlog.

Lines of requests are written together a few times a second: a write for each would cost as
much as a score.
"""

import asyncio
import logging
import sys
from multiprocessing.util import Finalize
from threading import RLock
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from pullrisk.redaction import REDACTOR, redacted_traceback

_EVERY: Final = 0.2
_MOST: Final = 512
_INFORMATION: Final = b'"level":"info"'
_encoder: Final = msgspec.json.Encoder()


class LineBuffer:
    """A binary file for structlog's BytesLogger that writes many lines at once; for any thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._lock = RLock()  # collecting garbage may log while it is held
        self._is_timed = False

    def write(self, line: bytes) -> None:
        """Keep the line; written within a fifth of a second, and at once if it tells of trouble."""
        with self._lock:
            self._lines.append(line)
            is_urgent = len(self._lines) >= _MOST or _INFORMATION not in line
            if is_urgent or not (self._is_timed or self._flush_later()):
                self.flush_now()

    def flush(self) -> None:
        """Nothing: structlog asks for it after each line."""

    def flush_now(self) -> None:
        """Write what is kept."""
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                try:
                    self._file.write(b"".join(lines))
                    self._file.flush()
                except (OSError, ValueError):
                    pass  # nobody reads it any more: requests are answered all the same

    def _flush_later(self) -> bool:
        """Whether this thread has an event loop, which will flush.

        Its timer is never cancelled: another thread could not, and may be who flushes first.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        loop.call_later(_EVERY, self._flush_in_time)
        self._is_timed = True
        return True

    def _flush_in_time(self) -> None:
        with self._lock:
            self._is_timed = False
            self.flush_now()


def _harmless(logger: object, name: str, event: Any) -> Any:  # noqa: ANN401  (structlog's own)
    """The traceback of what failed, and no secret; lines of requests hold none and are many."""
    if event.get("event") == "request":
        return event
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["traceback"] = redacted_traceback(error)
    return REDACTOR.mapping(event)


def _rendered(logger: object, name: str, event: Any) -> bytes:  # noqa: ANN401  (structlog's own)
    return _encoder.encode(event)


def logger(buffer: LineBuffer) -> Any:  # noqa: ANN401  (structlog's loggers are made at run time)
    """A structlog logger of JSON lines with an ISO time and a level."""
    return structlog.wrap_logger(
        structlog.BytesLogger(buffer),  # type: ignore[arg-type]  # writes and flushes only
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _harmless,
            _rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    )


class Forwarded(logging.Handler):
    """Hands what libraries and other rooms log through `logging` to the service's own log."""

    def __init__(self, log: Any) -> None:  # noqa: ANN401
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line; its message is masked by who makes the record."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        error = record.exc_info[1] if record.exc_info else None
        getattr(self._log, level)(record.getMessage(), logger=record.name, exc_info=error)


def forward(log: Any) -> None:  # noqa: ANN401
    """Make every line that this process logs one of the service's JSON lines."""
    logging.basicConfig(handlers=[Forwarded(log)], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def stdout_logger() -> Any:  # noqa: ANN401
    """The logger of a process of the service: it writes to standard output."""
    buffer = LineBuffer(sys.stdout.buffer)
    Finalize(None, buffer.flush_now, exitpriority=0)  # atexit does nothing in a worker
    return logger(buffer)
