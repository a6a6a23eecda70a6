"""The application: every request goes through here, in one pass."""

import asyncio
import re
from importlib.metadata import version
from os import urandom
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from pullrisk.errors import PullriskError, StoreError
from pullrisk.serve.deadlines import Deadlines
from pullrisk.serve.endpoints import Endpoints, Handler
from pullrisk.serve.http import Exchange, Header, ProblemError, Request, Response, Scope
from pullrisk.serve.limits import RateLimit
from pullrisk.serve.openapi import document, page
from pullrisk.serve.routes import ADMIN, ROUTES, Route, Table
from pullrisk.serve.service import Service
from pullrisk.serve.tracing import ids

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_UNKNOWN: Final = "unknown"
_NO_SNIFFING: Final = ("x-content-type-options", "nosniff")
_CLOSE: Final = ("connection", "close")
_PREFLIGHT: Final[tuple[Header, ...]] = (
    ("access-control-allow-methods", "GET, POST"),
    (
        "access-control-allow-headers",
        "authorization, content-type, x-api-key, x-request-id",
    ),
    ("access-control-max-age", "600"),
)


class App:
    """Routes, authenticates, limits, answers, counts and logs."""

    def __init__(self, service: Service, *, allow_open: bool, buckets: Path | None = None) -> None:
        self.service = service
        self.deadlines = Deadlines()
        self._allow_open = allow_open
        routes = ROUTES if service.parts.admin is None else (*ROUTES, *ADMIN)
        self._table = Table(routes)
        found = document(version("pullrisk"), routes, batch=service.options.batch)
        self._endpoints = Endpoints(service, msgspec.json.encode(found), page(found))
        options = service.options
        self._limit = RateLimit(options.rate, options.burst, path=buckets)
        self._origins = frozenset(options.cors_origins)
        self._ids = urandom(4).hex()
        self._count = 0
        self._counters: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        started = monotonic()
        request = Request(scope, exchange)
        request.id = self._request_id(request)
        name, traces = _UNKNOWN, self.service.parts.tracing
        if traces is not None:
            traces.begin(request)
        try:
            if request.method == "OPTIONS" and request.headers.get("origin") in self._origins:
                response = Response(204, b"", headers=_PREFLIGHT)
            else:
                route, name = self._route(request)
                if not route.open:
                    self._admit(route, request)
                response = await self._answer(route, request, started)
        except ProblemError as problem:
            response = problem.response(request.id)
        except StoreError as error:
            text = f"the pull store cannot be read: {error.args[0]}"
            response = ProblemError(503, text).response(request.id)
        except Exception as error:
            if not isinstance(error, PullriskError):
                self.service.log.exception("defect", request_id=request.id)
            text = "a defect of pullrisk; the log has it under this request_id"
            response = ProblemError(500, text).response(request.id)
        exchange.response_bytes(response.status, self._headers(request, response), response.body)
        if traces is not None:
            traces.end(request, route=name, status=response.status)
        self._record(request, response, name, monotonic() - started)

    def _route(self, request: Request) -> tuple[Route, str]:
        routes, request.parameters = self._table.find(request.path)
        if not routes:
            raise ProblemError(404, f"there is no {request.path[:200]}")
        method = "GET" if request.method == "HEAD" else request.method
        route = routes.get(method)
        if route is None:
            allowed = ", ".join(routes)
            allow = ("allow", allowed)
            raise ProblemError(405, f"this path answers {allowed}", headers=(allow,))
        return route, route.path

    def _admit(self, route: Route, request: Request) -> None:
        """Let the key's requests in, at its rate."""
        parts = self.service.parts
        keys = parts.admin if route.admin and parts.admin is not None else parts.keys
        if keys.required or not self._allow_open:
            name = keys.name_of(_presented(request))
            if name is None:
                challenge = ("www-authenticate", "Bearer")
                raise ProblemError(401, "send a key that holds", headers=(challenge,))
            request.key = name
        wait = self._limit.wait(request.key, monotonic())
        if wait:
            later = ("retry-after", str(wait))
            raise ProblemError(429, f"this key may ask again in {wait} s", headers=(later,))

    async def _answer(self, route: Route, request: Request, started: float) -> Response:
        options, running = self.service.options, self.deadlines.running
        posted = request.method == "POST"
        request.expires = started + (options.body_timeout if posted else options.timeout)
        handler: Handler = getattr(self._endpoints, route.handler)
        running.add(request)
        try:
            return await handler(request)
        except asyncio.CancelledError:
            if not request.overdue:
                raise
            if request.task is not None:
                request.task.uncancel()
            if posted and not request.arrived:
                text = f"the body did not arrive within {options.body_timeout:g} seconds"
                raise ProblemError(408, text, headers=(_CLOSE,)) from None
            raise ProblemError(504, f"no answer within {options.timeout:g} seconds") from None
        finally:
            running.discard(request)

    def _headers(self, request: Request, response: Response) -> list[Header]:
        headers: list[Header] = [
            ("content-type", response.content_type),
            ("x-request-id", request.id),
            _NO_SNIFFING,
            *response.headers,
        ]
        if self._origins:
            headers += self._cors(request)
        return headers

    def _record(self, request: Request, response: Response, name: str, seconds: float) -> None:
        self._count_one(name, response.status, seconds, len(response.body))
        if self.service.options.access_log:
            self.service.log.info(
                "request",
                id=request.id,
                method=request.method,
                path=request.path,
                status=response.status,
                bytes=len(response.body),
                ms=round(seconds * 1000, 3),
                key=request.key,
                **ids(request),
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

    def _request_id(self, request: Request) -> str:
        given = request.headers.get("x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        self._count += 1
        return f"{self._ids}-{self._count:x}"

    def _cors(self, request: Request) -> list[Header]:
        origin = request.headers.get("origin")
        if origin is None or origin not in self._origins:
            return [("vary", "origin")]
        return [("access-control-allow-origin", origin), ("vary", "origin")]


def _presented(request: Request) -> str:
    """The key that a request shows: a bearer token, or X-API-Key."""
    shown = request.headers.get("authorization")
    if shown is not None:
        scheme, _, token = shown.partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    return request.headers.get("x-api-key") or ""
