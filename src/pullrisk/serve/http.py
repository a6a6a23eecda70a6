"""Requests, responses and problems (RFC 9457), as thin as ASGI allows.

A web framework costs more than the scoring itself: docs/decisions has the figures.
"""

from asyncio import Timeout, get_running_loop
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
_WANTED: Final = frozenset(
    (b"authorization", b"x-api-key", b"content-length", b"content-type", b"x-request-id",
     b"origin", b"traceparent", b"access-control-request-method")
)  # fmt: skip
_encoder: Final = msgspec.json.Encoder()

TITLES: Final = {
    400: "Malformed request",
    401: "Key required",
    404: "Not found",
    405: "Method not allowed",
    408: "Request too slow",
    411: "Length required",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid content",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
    504: "Took too long",
}
"""The statuses of problems, each with its title."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as RFC 9457 writes it; `request_id` is the one in the access log."""

    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    type: str = "about:blank"


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, *, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    def response(self, request_id: str) -> "Response":
        """The problem as a response."""
        problem = Problem(TITLES[self.status], self.status, self.detail, request_id)
        return Response(self.status, _encoder.encode(problem), PROBLEM, self.headers)


class Response:
    """A whole response; the body is bytes."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        headers: tuple[Header, ...] = (),
    ) -> None:
        self.status, self.body = status, body
        self.content_type, self.headers = content_type, headers


def json_response(value: object, *, status: int = 200) -> Response:
    """The value as JSON."""
    return Response(status, _encoder.encode(value))


class Request:
    """One request: what of its head is ever looked at, and its body on demand."""

    __slots__ = (
        "_receive", "arrived", "clock", "headers", "key", "method", "parameters", "path",
        "query_string",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = {
            name: value for name, value in scope["headers"] if name in _WANTED
        }
        self.parameters: tuple[str, ...] = ()
        self.key = ""
        self.arrived = False
        self.clock: Timeout | None = None
        self._receive = receive

    def query(self) -> dict[str, str]:
        """The query's parameters; ProblemError 422 where one comes twice."""
        pairs = parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ProblemError(422, "a query parameter is given twice")
        return found

    async def body(self, *, limit: int, seconds: float) -> bytes:
        """The whole body; then `seconds` remain to answer. ProblemError 413 beyond `limit`."""
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            raise _too_large(limit)
        body = await self._read(limit)
        self.arrived = True
        if self.clock is not None:
            self.clock.reschedule(get_running_loop().time() + seconds)
        return body

    async def _read(self, limit: int) -> bytes:
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > limit:
                raise _too_large(limit)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(400, "the client went away")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(parts)


def _too_large(limit: int) -> ProblemError:
    text = f"the body may have at most {limit:,} bytes"
    return ProblemError(413, text, headers=((b"connection", b"close"),))
