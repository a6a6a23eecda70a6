"""Reads bodies: pull requests as GitHub describes them or as references, and rows of features."""

from contextlib import suppress
from struct import Struct
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import UNKNOWN
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull, parse_rest, parse_rest_list
from pullrisk.serve.inflight import ActiveRequest, InFlight
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.shapes import Reference

_many: Final = msgspec.json.Decoder(list[msgspec.Raw])
_reference: Final = msgspec.json.Decoder(Reference)
_rows: Final = msgspec.json.Decoder(list[list[float | None]])
_row: Final = msgspec.json.Decoder(list[float | None])
_JSON: Final = "application/json"
_SPACE: Final = b" \t\r\n"
_LONGEST_REFERENCE: Final = 512


class Asked(Protocol):
    """What endpoints read of a request: ASGI's own, which the framework's requests have too."""

    scope: Any
    receive: Any


async def read_json(request: Asked, in_flight: InFlight) -> bytes:
    """The body of a request that has to be JSON.

    Raises ProblemError: 415 for another media type, 413 for a body beyond `body_mb`, 503 if
    those of others take the memory set for them, 400 if the client went away.
    """
    active: ActiveRequest = request.scope["state"]["active"]
    kind = active.header(b"content-type") or _JSON
    if kind != _JSON and kind.partition(";")[0].strip().lower() != _JSON:
        raise ProblemError(415, "the body has to be application/json")
    most, declared = in_flight.body_bytes, active.header(b"content-length") or ""
    in_flight.hold(active, min(int(declared), most) if declared.isdecimal() else most)
    return await read(request, in_flight, most=most)


async def read(request: Asked, in_flight: InFlight, *, most: int) -> bytes:
    """The body, of at most `most` bytes; it is never kept beyond that.

    The framework's own `request.body()` takes as long as decoding a row of features does.
    """
    active: ActiveRequest = request.scope["state"]["active"]
    declared = active.header(b"content-length")
    if declared is not None and not (declared.isdecimal() and int(declared) <= most):
        raise _too_large(most)
    parts, size, more = [], 0, True
    while more:
        message: Any = await request.receive()
        if message["type"] != "http.request":
            raise ProblemError(400, "the client went away")
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise _too_large(most)
        more = message["more_body"]
    in_flight.arrived(active)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most: int) -> ProblemError:
    text = f"the body may have at most {most:,} bytes"
    return ProblemError(413, text, headers={"connection": "close"})


def parse(body: bytes, *, most: int, names: BotNames = NO_NAMES) -> list[Pull | Reference]:
    """The pull requests asked for, at most `most`; ProblemError 400 for what is no JSON, or 422."""
    try:
        if not body.lstrip(_SPACE).startswith(b"["):
            return [_one(body, "", names)]
        with suppress(ValueError, RecursionError):  # one by one below, which tells the place
            if pulls := parse_rest_list(body, most=most, names=names):
                return [*pulls]
        items = _many.decode(body)
    except RecursionError:
        raise ProblemError(400, "JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _problem(error, "") from None
    if not 1 <= len(items) <= most:
        raise ProblemError(422, f"{len(items):,} pull requests; a request may hold 1 to {most:,}")
    return [
        _one(bytes(item), f" (pull request {place})", names) for place, item in enumerate(items)
    ]


def parse_rows(body: bytes, *, most: int, width: int) -> NDArray[np.float32]:
    """Rows of features [n, width]: one list of numbers, or a list of such lists.

    A number that is unknown is null in JSON, NaN here.
    """
    try:
        nested = body.lstrip(_SPACE)[1:].lstrip(_SPACE).startswith(b"[")
        rows = _rows.decode(body) if nested else [_row.decode(body)]
    except RecursionError:
        raise ProblemError(400, "JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _problem(error, "") from None
    if len(rows) > most:
        raise ProblemError(422, f"{len(rows):,} rows; a request may hold 1 to {most:,}")
    if not rows or any(len(row) != width for row in rows):
        raise ProblemError(422, f"each row has to have {width} numbers")
    pack = Struct(f"{width}f").pack  # numpy takes twice as long over a list
    try:
        numbers = bytearray().join([pack(*_told(row)) for row in rows])
    except OverflowError:
        raise ProblemError(422, "a number is too large for a feature") from None
    return np.frombuffer(numbers, np.float32).reshape(len(rows), width)


def _told(row: list[float | None]) -> list[Any]:
    return [UNKNOWN if value is None else value for value in row] if None in row else row


def _one(item: bytes, where: str, names: BotNames) -> Pull | Reference:
    try:
        return _strictly(item, names)
    except ValueError as error:
        if "got `float`" not in str(error):
            raise _problem(error, where) from None
        try:
            return _strictly(msgspec.json.encode(_whole(msgspec.json.decode(item))), names)
        except (ValueError, RecursionError):
            raise _problem(error, where) from None


def _strictly(item: bytes, names: BotNames) -> Pull | Reference:
    try:
        return parse_rest(item, names=names)
    except ValueError:
        if len(item) <= _LONGEST_REFERENCE:
            with suppress(msgspec.DecodeError, RecursionError):
                return _reference.decode(item)
        raise  # the first error says more


def _whole(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    """The value with 1.0 as 1: to JSON Schema both are integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def _problem(error: Exception, where: str) -> ProblemError:
    broken = isinstance(error, msgspec.DecodeError | UnicodeDecodeError) and not isinstance(
        error, msgspec.ValidationError
    )
    return ProblemError(400 if broken or "nested" in str(error) else 422, f"{error}{where}")
