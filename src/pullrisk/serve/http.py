"""Requests, responses and problems (RFC 9457), as thin as granian's RSGI allows.

A web framework costs more than the scoring itself: docs/decisions has the figures.
"""

from asyncio import Task, current_task
from collections.abc import AsyncIterator, Awaitable
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

Header: TypeAlias = tuple[str, str]

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_encoder: Final = msgspec.json.Encoder()


class Headers(Protocol):
    """The headers of a request, by lower-case names."""

    def get(self, key: str, /) -> str | None:
        """The first value; None too where it is no text."""


class Scope(Protocol):
    """The head of a request, as RSGI gives it."""

    method: str
    path: str
    query_string: str
    headers: Headers


class Exchange(Protocol):
    """RSGI's protocol object: reads the body, sends the response."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in parts."""

    def response_bytes(self, status: int, headers: list[Header], body: bytes, /) -> None:
        """Send a whole response."""


TITLES: Final = {
    400: "Malformed request",
    401: "Key required",
    404: "Not found",
    405: "Method not allowed",
    408: "Request too slow",
    409: "Model refused",
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
        content_type: str = JSON,
        headers: tuple[Header, ...] = (),
    ) -> None:
        self.status, self.body = status, body
        self.content_type, self.headers = content_type, headers


def json_response(value: object, *, status: int = 200) -> Response:
    """The value as JSON."""
    return Response(status, _encoder.encode(value))


def query_of(text: str) -> dict[str, str]:
    """A query's parameters; ProblemError 422 where one comes twice."""
    if not text:
        return {}
    pairs = parse_qsl(text, keep_blank_values=True)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ProblemError(422, "a query parameter is given twice")
    return found


class Request:
    """One request: its head, its body on demand, and the moment when it has to be answered."""

    __slots__ = (
        "_exchange", "arrived", "expires", "headers", "id", "key", "method", "overdue",
        "parameters", "path", "query_string", "span", "task",
    )  # fmt: skip

    def __init__(self, scope: Scope, exchange: Exchange) -> None:
        self.method, self.path = scope.method, scope.path
        self.query_string, self.headers = scope.query_string, scope.headers
        self.parameters: tuple[str, ...] = ()
        self.id = self.key = ""
        self.arrived = self.overdue = False
        self.expires = 0.0
        self.task: Task[Any] | None = current_task()
        self.span: Any = None
        self._exchange = exchange

    async def body(self, *, limit: int, seconds: float) -> bytes:
        """The whole body; then `seconds` remain to answer. ProblemError 413 beyond `limit`."""
        declared = self.headers.get("content-length")
        if declared is None:
            body = await self._parts(limit)
        elif not declared.isdecimal() or int(declared) > limit:
            raise _too_large(limit)
        else:
            body = await self._whole()
        self.arrived = True
        self.expires = monotonic() + seconds
        return body

    async def _whole(self) -> bytes:
        try:
            return await self._exchange()
        except RuntimeError:  # RSGI's errors
            raise ProblemError(400, "the client went away") from None

    async def _parts(self, limit: int) -> bytes:
        parts, size = [], 0
        try:
            async for part in self._exchange:
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
        except RuntimeError:
            raise ProblemError(400, "the client went away") from None
        return b"".join(parts)


def _too_large(limit: int) -> ProblemError:
    text = f"the body may have at most {limit:,} bytes"
    return ProblemError(413, text, headers=(("connection", "close"),))
