"""The ASGI application: every request goes through here, in one pass."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from os import urandom
from time import monotonic, perf_counter
from typing import Any, Final

import msgspec

from pullrisk.errors import PullriskError, StoreError
from pullrisk.serve.endpoints import Endpoints, Handler
from pullrisk.serve.http import Header, ProblemError, Receive, Request, Response, Scope, Send
from pullrisk.serve.limits import RateLimit
from pullrisk.serve.openapi import document, page
from pullrisk.serve.routes import Route, Table
from pullrisk.serve.service import Service

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_UNKNOWN: Final = "unknown"
_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, x-api-key, x-request-id"),
    (b"access-control-max-age", b"600"),
)
Lifespan = Callable[[], Awaitable[Callable[[], Awaitable[None]]]]
"""Starts what runs beside the requests; what it gives back ends that."""


class App:
    """Routes, authenticates, limits, answers, counts and logs."""

    def __init__(
        self, service: Service, *, allow_open: bool, lifespan: Lifespan | None = None
    ) -> None:
        self.service = service
        self._allow_open, self._lifespan = allow_open, lifespan
        self._table = Table()
        found = document(version("pullrisk"), batch=service.options.batch)
        self._endpoints = Endpoints(service, msgspec.json.encode(found), page(found))
        options = service.options
        self._limit = RateLimit(options.rate, options.burst)
        self._origins = frozenset(origin.encode() for origin in options.cors_origins)
        self._ids = urandom(4).hex()
        self._count = 0
        self._counters: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and the end of the process."""
        if scope["type"] == "http":
            await self._http(Request(scope, receive), send)
        elif scope["type"] == "lifespan" and self._lifespan is not None:
            await self._live(self._lifespan, receive, send)

    async def _http(self, request: Request, send: Send) -> None:
        started = perf_counter()
        request_id = self._request_id(request)
        name = _UNKNOWN
        try:
            if request.method == "OPTIONS" and request.headers.get(b"origin") in self._origins:
                response = Response(204, b"", headers=_PREFLIGHT)
            else:
                route, name = self._route(request)
                if not route.open:
                    self._admit(request)
                handler: Handler = getattr(self._endpoints, route.handler)
                response = await self._answer(handler, request)
        except ProblemError as problem:
            response = problem.response(request_id.decode())
        except StoreError as error:
            text = f"the pull store cannot be read: {error.args[0]}"
            response = ProblemError(503, text).response(request_id.decode())
        except Exception as error:
            if not isinstance(error, PullriskError):
                self.service.log.exception("defect", request_id=request_id.decode())
            text = "a defect of pullrisk; the log has it under this request_id"
            response = ProblemError(500, text).response(request_id.decode())
        await self._send(request, response, request_id, send)
        self._record(request, response, request_id, name, perf_counter() - started)

    def _route(self, request: Request) -> tuple[Route, str]:
        routes, request.parameters = self._table.find(request.path)
        if not routes:
            raise ProblemError(404, f"there is no {request.path[:200]}")
        method = "GET" if request.method == "HEAD" else request.method
        route = routes.get(method)
        if route is None:
            allowed = ", ".join(routes)
            allow = (b"allow", allowed.encode())
            raise ProblemError(405, f"this path answers {allowed}", headers=(allow,))
        return route, route.path

    def _admit(self, request: Request) -> None:
        """Let the key's requests in, at its rate."""
        keys = self.service.parts.keys
        if keys.required or not self._allow_open:
            name = keys.name_of(_presented(request.headers))
            if name is None:
                challenge = (b"www-authenticate", b"Bearer")
                raise ProblemError(401, "send a key that holds", headers=(challenge,))
            request.key = name
        wait = self._limit.wait(request.key, monotonic())
        if wait:
            later = (b"retry-after", str(wait).encode())
            raise ProblemError(429, f"this key may ask again in {wait} s", headers=(later,))

    async def _answer(self, handler: Handler, request: Request) -> Response:
        options = self.service.options
        try:
            first = options.body_timeout if request.method == "POST" else options.timeout
            async with asyncio.timeout(first) as request.clock:
                return await handler(request)
        except TimeoutError:
            if request.method == "POST" and not request.arrived:
                text = f"the body did not arrive within {options.body_timeout:g} seconds"
                raise ProblemError(408, text, headers=((b"connection", b"close"),)) from None
            raise ProblemError(504, f"no answer within {options.timeout:g} seconds") from None

    async def _send(
        self, request: Request, response: Response, request_id: bytes, send: Send
    ) -> None:
        headers: list[Header] = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            (b"x-request-id", request_id),
            (b"x-content-type-options", b"nosniff"),
            *response.headers,
        ]
        if self._origins:
            headers += self._cors(request)
        body = b"" if request.method == "HEAD" else response.body
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _record(
        self, request: Request, response: Response, request_id: bytes, name: str, seconds: float
    ) -> None:
        self._count_one(name, response.status, seconds, len(response.body))
        if self.service.options.access_log:
            self.service.log.info(
                "request",
                id=request_id.decode(),
                method=request.method,
                path=request.path,
                status=response.status,
                bytes=len(response.body),
                ms=round(seconds * 1000, 3),
                key=request.key,
            )

    def _count_one(self, name: str, status: int, seconds: float, size: int) -> None:
        own = self._counters.get((name, status))
        if own is None:
            metrics = self.service.metrics
            own = self._counters[name, status] = (
                metrics.requests.labels(name, str(status)),
                metrics.seconds.labels(name),
                metrics.bytes.labels(name),
            )
        own[0].inc()
        own[1].observe(seconds)
        own[2].observe(size)

    def _request_id(self, request: Request) -> bytes:
        given = request.headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        self._count += 1
        return f"{self._ids}-{self._count:x}".encode()

    def _cors(self, request: Request) -> list[Header]:
        origin = request.headers.get(b"origin", b"")
        if origin not in self._origins:
            return [(b"vary", b"origin")]
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]

    async def _live(self, lifespan: Lifespan, receive: Receive, send: Send) -> None:
        await receive()
        try:
            end = await lifespan()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await end()
        await send({"type": "lifespan.shutdown.complete"})


def _presented(headers: dict[bytes, bytes]) -> str:
    """The key that a request shows: a bearer token, or X-API-Key."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token:
        return token.strip().decode("latin-1")
    return headers.get(b"x-api-key", b"").decode("latin-1")
