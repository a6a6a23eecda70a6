"""Reads bodies: pull requests as GitHub describes them or as references, and rows of features."""

import asyncio
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import UNKNOWN
from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest, parse_rest_list
from pullrisk.serve.inflight import AsgiRequest, InFlight, active_request
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.shapes import Reference

T = TypeVar("T")

_many: Final = msgspec.json.Decoder(list[msgspec.Raw])
_reference: Final = msgspec.json.Decoder(Reference)
_JSON: Final = "application/json"
_MOST_SPACES: Final = 1_000
"""Spaces before a body's first sign: while that is looked for, nobody else can work."""
_FIRST: Final = re.compile(rb"[ \t\r\n]{0,%d}+([^ \t\r\n])" % _MOST_SPACES)
_NESTED: Final = re.compile(rb"[ \t\r\n]{0,%d}+\[[ \t\r\n]{0,%d}+\[" % ((_MOST_SPACES,) * 2))
_LONGEST_REFERENCE: Final = 512
LARGE: Final = 256_000
"""Bytes of a body from which on decoding takes so long that others get their turn meanwhile."""
_MOST_VALUES: Final = 600_000
"""Values of a body, and a quarter of them of one pull request: 1,000 of GitHub's have 400,000."""
_MOST_ESCAPES: Final = 2_000_000
"""Escaped characters of a body: reading one takes ten times as long as reading another."""
_MOST_PATHS: Final = 500_000
"""Characters of the paths of a pull request; 3,000 usual ones have 200,000."""
_MOST_DIGITS: Final = 64
"""Bytes of a number in a row of features, with what stands between it and the next."""


LARGEST_NUMBER: Final = 3.4e38
"""What a row of features may hold, either way: models take single precision."""
_Value = Annotated[float, msgspec.Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)] | None
_rows: Final = msgspec.json.Decoder(list[list[_Value]])
_row: Final = msgspec.json.Decoder(list[_Value])
_EXACT: Final = 2.0**53
"""From here on, a fraction is no exact number."""


async def read_json(request: AsgiRequest, in_flight: InFlight) -> bytes:
    """The body of a request that has to be JSON.

    Raises ProblemError: 415 for another media type, 413 for a body beyond `body_mb`, 503 if
    those of others take the memory set for them, 400 if the client went away.
    """
    active = active_request(request)
    kind = active.header(b"content-type") or _JSON
    if kind != _JSON and kind.partition(";")[0].strip().lower() != _JSON:
        raise ProblemError(415, "the body has to be application/json")
    most, declared = in_flight.body_bytes, active.header(b"content-length") or ""
    in_flight.reserve(active, min(int(declared), most) if declared.isdecimal() else most)
    return await read(request, most=most)


async def read(request: AsgiRequest, *, most: int) -> bytes:
    """The body, of at most `most` bytes; it is never kept beyond that.

    The framework's own `request.body()` takes as long as decoding a row of features does.
    """
    declared = active_request(request).header(b"content-length")
    if declared is not None and not (declared.isdecimal() and int(declared) <= most):
        raise _too_large(most)
    message = await _receive(request)
    content: bytes = message["body"]
    if message["more_body"]:
        body = BytesIO()  # no list: there may be a million parts of a byte each
        body.write(content)
        while message["more_body"] and body.tell() <= most:
            message = await _receive(request)
            body.write(message["body"])
        content = body.getvalue()  # the same bytes, no copy
    if len(content) > most:
        raise _too_large(most)
    return content


async def _receive(request: AsgiRequest) -> Any:  # noqa: ANN401  (ASGI's)
    message: Any = await request.receive()
    if message["type"] != "http.request":
        raise ProblemError(400, "the client went away")
    return message


def _too_large(most: int) -> ProblemError:
    return ProblemError(413, f"the body may have at most {most:,} bytes")


async def read_pulls(
    request: AsgiRequest, in_flight: InFlight, *, most: int, names: BotNames = NO_NAMES
) -> list[Pull | Reference]:
    """The pull requests of a body; a large one is parsed in a thread, one at a time.

    Raises what `read_json` and `parse_pulls` raise.
    """
    body = await read_json(request, in_flight)
    return await _parsed(body, in_flight, partial(parse_pulls, most=most, names=names))


async def read_rows(
    request: AsgiRequest, in_flight: InFlight, *, most: int, width: int
) -> NDArray[np.float32]:
    """The rows of features of a body, likewise; raises what `parse_rows` raises."""
    body = await read_json(request, in_flight)
    return await _parsed(body, in_flight, partial(parse_rows, most=most, width=width))


async def _parsed(body: bytes, in_flight: InFlight, parser: Callable[[bytes], T]) -> T:
    if len(body) < LARGE:
        return parser(body)
    async with in_flight.parsing:
        return await asyncio.to_thread(parser, body)


def parse_pulls(body: bytes, *, most: int, names: BotNames = NO_NAMES) -> list[Pull | Reference]:
    """The pull requests asked for, at most `most`; ProblemError 400 for what is no JSON, or 422."""
    _refuse_many(body, "", values=_MOST_VALUES)
    try:
        if not _starts_with(body, b"["):
            return [_parse_pull(body, "", names)]
        if len(body) < LARGE:
            with suppress(ValueError, RecursionError):  # one by one below, which tells the place
                if pulls := parse_rest_list(body, most=most, names=names):
                    return [_refuse_long(pull, "") for pull in pulls]
        items = lone_surrogates.decode(_many, body)
    except RecursionError:
        raise ProblemError(400, "JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _to_problem(error, "") from None
    if not 1 <= len(items) <= most:
        raise ProblemError(422, f"{len(items):,} pull requests; a request may hold 1 to {most:,}")
    return [
        _parse_pull(bytes(item), f" (pull request {place})", names)
        for place, item in enumerate(items)
    ]


def _refuse_many(body: bytes, where: str, *, values: int) -> None:
    """Count before anything is made of it: an object of Python's takes 60 bytes and more.

    ProblemError 422. Commas in texts count as well, so this is a bound and no exact number.
    """
    if body.count(b",") >= values or body.count(b"\\") >= _MOST_ESCAPES:
        raise ProblemError(422, f"more than {values:,} values{where}: send fewer at once")


def _refuse_long(pull: Pull, where: str) -> Pull:
    """The pull request; ProblemError 422 where its paths alone would take long to score."""
    if sum(len(file.path) for file in pull.files or ()) > _MOST_PATHS:
        raise ProblemError(422, f"its files' paths have over {_MOST_PATHS:,} characters{where}")
    return pull


def _starts_with(body: bytes, sign: bytes) -> bool:
    """Whether the first sign is this one. ProblemError 400 if it does not come for long."""
    first = _FIRST.match(body)
    if first is None and len(body) > _MOST_SPACES:
        raise ProblemError(400, f"more than {_MOST_SPACES:,} spaces before the JSON")
    return first is not None and first[1] == sign


def parse_rows(body: bytes, *, most: int, width: int) -> NDArray[np.float32]:
    """Rows of features [n, width]: one list of numbers, or a list of such lists.

    A number that is unknown is null in JSON, NaN here.
    """
    if len(body) > most * width * _MOST_DIGITS or body.count(b",") >= most * width:
        raise ProblemError(422, f"more than {most:,} rows of {width} numbers")
    try:
        nested = _NESTED.match(body) is not None
        rows = _rows.decode(body) if nested else [_row.decode(body)]
    except RecursionError:
        raise ProblemError(400, "JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _to_problem(error, "") from None
    if len(rows) > most:
        raise ProblemError(422, f"{len(rows):,} rows; a request may hold 1 to {most:,}")
    if not rows or any(len(row) != width for row in rows):
        raise ProblemError(422, f"each row has to have {width} numbers")
    numbers = b"".join([_packed(row) for row in rows])  # numpy takes thrice as long over a list
    return np.frombuffer(numbers, np.float32).reshape(len(rows), width)


def _packed(row: list[float | None]) -> bytes:
    """The numbers in single precision, NaN for None."""
    try:
        return struct.pack(f"{len(row)}f", *row)
    except struct.error:
        return struct.pack(f"{len(row)}f", *(UNKNOWN if value is None else value for value in row))


def _parse_pull(item: bytes, where: str, names: BotNames) -> Pull | Reference:
    _refuse_many(item, where, values=_MOST_VALUES // 4)
    try:
        return _parse_strictly(item, names)
    except ValueError as error:
        if "got `float`" not in str(error) or len(item) >= LARGE:
            raise _to_problem(error, where) from None
        try:
            return _parse_strictly(
                msgspec.json.encode(_with_integers(msgspec.json.decode(item))), names
            )
        except (ValueError, RecursionError):
            raise _to_problem(error, where) from None


def _parse_strictly(item: bytes, names: BotNames) -> Pull | Reference:
    try:
        return _refuse_long(parse_rest(item, names=names), "")
    except ValueError:
        if len(item) <= _LONGEST_REFERENCE:
            with suppress(msgspec.DecodeError, RecursionError):
                return _reference.decode(item)
        raise  # the first error says more


def _with_integers(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    """The value with 1.0 as 1: to JSON Schema both are integers; larger ones stay as they are."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_integers(item) for name, item in value.items()}
    return value


def _to_problem(error: Exception, where: str) -> ProblemError:
    broken = isinstance(error, msgspec.DecodeError | UnicodeDecodeError) and not isinstance(
        error, msgspec.ValidationError
    )
    return ProblemError(400 if broken or "nested" in str(error) else 422, f"{error}{where}")
