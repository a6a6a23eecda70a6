"""PULLRISK_LOG_FORMAT=json: every line of a command is one JSON object, whoever writes it."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logging import Handler

_STATE: Final[dict[str, "Handler | None"]] = {}
"""Holds, under "handler", what writes Python's own logging as JSON; nothing without JSON."""


def write_json_lines(enabled: bool) -> None:
    """Set whether every line is a JSON object, those of Python's logging too."""
    if enabled == json_lines():
        return
    import logging

    logging.captureWarnings(enabled)
    if enabled:
        _STATE["handler"] = handler = _handler()
        logging.getLogger().addHandler(handler)
    elif (old := _STATE.pop("handler")) is not None:
        logging.getLogger().removeHandler(old)


def json_lines() -> bool:
    """Whether every line has to be a JSON object."""
    return "handler" in _STATE


def json_line(level: str, event: str, **more: object) -> str:
    """One JSON object of a log; time, level and event are as in the service's log."""
    moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"time": moment, "level": level, "event": event, **more}, default=str)


def _handler() -> "Handler":
    import logging

    class JsonLines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            more = {"logger": record.name}
            if record.exc_info and record.exc_info[1] is not None:
                from pullrisk.redaction import redacted_traceback

                more["traceback"] = redacted_traceback(record.exc_info[1])
            line = json_line(record.levelname.lower(), record.getMessage(), **more)
            print(line, file=sys.stderr, flush=True)

    return JsonLines(logging.WARNING)
