"""What surrounds each request: its id, its trace, its limits, the metrics and the access log.

One ASGI callable around the whole application, so that it sees what the framework refuses too.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from os import urandom
from time import monotonic
from typing import Any, Final, TypeAlias

from pullrisk.options import is_loopback
from pullrisk.serve.inflight import LONGEST_PATH, ActiveRequest
from pullrisk.serve.problems import PROBLEM, ProblemError, problem_of
from pullrisk.serve.service import Service
from pullrisk.serve.tracing import ids

# ASGI's terms; the framework's types of them cannot be written to by who wraps it
Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

_UNKNOWN: Final = "unknown"
_PARAMETER_TYPE: Final = re.compile(r":\w+\}")
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_CLOSE: Final = (b"connection", b"close")
_PORT: Final = re.compile(r":\d{1,5}$")
_LONGEST_HOST: Final = 256
_SILENT: Final = frozenset(("/healthz", "/readyz"))
"""Probes: where they succeed, nobody reads a line of each."""
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No script or style that stands in a page itself, and nothing from elsewhere."""
_KIND, _POLICY, _CACHE = b"content-type", b"content-security-policy", b"cache-control"
_HTML: Final = b"text/html"
_PAGE_HEADERS: Final = (
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_OVER_HTTPS: Final = (b"strict-transport-security", b"max-age=31536000")


def refuse_early(request: ActiveRequest, scope: Scope, service: Service) -> None:
    """ProblemError for what no route needs to see: 404 for a path that is longer than any, 421
    for a host that is not this machine, where nobody needs a key.

    A page that a browser loaded from elsewhere may have its own name lead to 127.0.0.1 and ask
    what listens here (DNS rebinding); only the name betrays it.
    """
    if len(scope["path"]) > LONGEST_PATH:
        raise ProblemError(404, f"there is no path of {len(scope['path']):,} characters")
    if service.is_open and not all(map(_is_here, _hosts(scope))):
        raise ProblemError(421, "without keys, only this machine's own names are answered")


def _hosts(scope: Scope) -> list[bytes]:
    """What the request says of its host: one text, or more if somebody means to deceive."""
    return [text for name, text in scope["headers"] if name == b"host"] or [b""]


@lru_cache(maxsize=64)
def _is_here(host: bytes) -> bool:
    """Whether a Host header names this machine's loopback."""
    name = host.decode("latin-1")[:_LONGEST_HOST]
    return is_loopback(name.strip("[]")) or is_loopback(_PORT.sub("", name).strip("[]"))


class Lifecycle:
    """An ASGI application around `api`."""

    def __init__(self, api: Application, service: Service) -> None:
        self._api, self._service, self._in_flight = api, service, service.in_flight
        self._ids = urandom(4).hex()
        self._count = 0
        self._counters: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the start and the end of the process."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        request = ActiveRequest(scope)
        request.id = request.given_id() or self._next_id()
        scope["state"].update(active=request, service=self._service)
        if scope["method"] == "HEAD":  # granian leaves the body out
            scope["method"] = "GET"
        traces = self._service.dependencies.tracing
        if traces is not None:
            traces.begin(request)
        try:
            body = receive if request.arrived else self._following(request, receive)
            await self._answer(request, scope, body, self._noting(request, send))
        finally:
            self._in_flight.leave(request)
            route = _route(scope.get("path_template"))
            if traces is not None:
                traces.end(request, route=route)
            self._record(request, route)

    async def _answer(
        self, request: ActiveRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            self._in_flight.enter(request)
            refuse_early(request, scope, self._service)
            await self._api(scope, receive, send)
        except asyncio.CancelledError:
            if not request.overdue:
                raise
            await _send_problem(self._in_flight.give_up(request), request, send)
        except Exception as error:
            problem = problem_of(error, request, self._service.log)
            # its frames hold the body, and this one holds it: nothing of that would be freed soon
            await _send_problem(problem.with_traceback(None), request, send)

    def _following(self, request: ActiveRequest, receive: Receive) -> Receive:
        """`receive`; it notes when the whole body is there."""

        async def following() -> Message:
            message: Message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                self._in_flight.arrived(request)
            return message

        return following

    def _noting(self, request: ActiveRequest, send: Send) -> Send:
        """`send`, with our headers; it notes the status and the bytes.

        The connection cannot go on behind a body that nobody read, and will not after a drain: a
        client that is not told sends its next request into a connection that is being closed.
        """
        over_https = self._service.dependencies.sign_in.sessions.secure

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                headers = message["headers"]
                added = (b"x-request-id", request.id.encode()), _NO_SNIFFING
                of_page = page_headers(headers, over_https=over_https)
                message["headers"] = [*headers, *added, *of_page]
                if self._service.draining or not request.arrived:
                    message["headers"].append(_CLOSE)
            else:
                request.sent += len(message.get("body", b""))
            await send(message)

        return noting

    def _record(self, request: ActiveRequest, route: str) -> None:
        seconds = monotonic() - request.started
        self._count_one(route, request.status, seconds, request.sent)
        if not self._service.options.access_log:
            return
        if request.status == 200 and request.path in _SILENT:
            return
        self._service.log.info(
            "request",
            id=request.id,
            method=request.method,
            path=request.path,
            status=request.status,
            bytes=request.sent,
            ms=round(seconds * 1000, 3),
            key=request.key,
            **ids(request),
        )

    def _count_one(self, route: str, status: int, seconds: float, size: int) -> None:
        counters = self._counters.get((route, status))
        if counters is None:
            metrics = self._service.metrics
            counters = self._counters[route, status] = (
                metrics.requests.labels(route, str(status)),
                metrics.seconds.labels(route),
                metrics.bytes.labels(route),
            )
        counters[0].inc()
        counters[1].observe(seconds)
        counters[2].observe(size)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._ids}-{self._count:x}"


def page_headers(headers: Headers, *, over_https: bool) -> Headers:
    """What a page tells the browser beside the headers of its answer: what it may load, who may
    frame it, what it may pass on. Nothing for any other answer.
    """
    names = dict(headers)
    if not names.get(_KIND, b"").startswith(_HTML):
        return []
    added = [*_PAGE_HEADERS]
    if _POLICY not in names:
        added.append((_POLICY, _PAGE_POLICY.encode()))
    if _CACHE not in names:
        added.append((_CACHE, b"private, no-cache"))
    if over_https:
        added.append(_OVER_HTTPS)
    return added


async def _send_problem(problem: ProblemError, request: ActiveRequest, send: Send) -> None:
    body = problem.body(request.id)
    headers = {"content-type": PROBLEM, "content-length": str(len(body)), **problem.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


@lru_cache
def _route(template: str | None) -> str:
    """The route as metrics and traces name it: without the types of its parameters."""
    return _UNKNOWN if template is None else _PARAMETER_TYPE.sub("}", template)
