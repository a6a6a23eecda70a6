"""The application: Litestar's routes and documents, inside what surrounds each request."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, TypeAlias

from litestar import Litestar, Request, Response, Router
from litestar.config.cors import CORSConfig

from pullrisk.serve import openapi
from pullrisk.serve.dependencies import Dependencies
from pullrisk.serve.direct import DirectRoutes
from pullrisk.serve.endpoints import Context, context_of
from pullrisk.serve.inflight import ActiveRequest, InFlight
from pullrisk.serve.keys import WrongKeys
from pullrisk.serve.lifecycle import Lifecycle
from pullrisk.serve.probes import answering_probes
from pullrisk.serve.problems import PROBLEM, problem_of
from pullrisk.serve.pull_list import PullListCache
from pullrisk.serve.routes import hot_endpoints, routers
from pullrisk.serve.service import Service

Running: TypeAlias = Callable[[Service, InFlight], AbstractAsyncContextManager[None]]
"""What lives in the process from its start until its end, beside the requests."""

_HEADERS: Final = ("authorization", "content-type", "x-api-key", "x-request-id")
_PREFLIGHT_SECONDS: Final = 600


def make_api(service: Service, running: Running, pages: Sequence[Router] = ()) -> Lifecycle:
    """The ASGI application of one process; `pages` are further routes, for people."""
    context = Context(service, InFlight(service.options), PullListCache(service), WrongKeys())
    dependencies = service.dependencies
    sign_in = dependencies.sign_in
    app = Litestar(
        [
            *routers(
                service.options,
                admin=dependencies.admin is not None,
                app=dependencies.webhooks is not None,
            ),
            *_pages(dependencies),
            *pages,
        ],
        openapi_config=openapi.config(),
        exception_handlers={Exception: refuse},
        cors_config=_cors(service.options.cors_origins),
        lifespan=[
            lambda app: running(service, context.in_flight),
            lambda app: answering_probes(service.options, whole),
            lambda app: nullcontext() if sign_in is None else sign_in.running(),
        ],
        logging_config=None,
    )
    whole = Lifecycle(DirectRoutes(app, hot_endpoints(service.options)), context)
    return whole


def _pages(dependencies: Dependencies) -> Iterator[Router]:
    """The routes that answer with pages: only a service that has sessions has them."""
    if dependencies.sign_in is not None:
        from pullrisk.serve.sign_in.routes import sign_in_router

        yield sign_in_router(dependencies.sign_in.sessions)
    if dependencies.setup is not None:
        from pullrisk.serve.sign_in.setup import setup_router

        yield setup_router(dependencies.setup)


def refuse(request: "Request[Any, Any, Any]", error: Exception) -> Response[bytes]:
    """The problem document of what a handler, or the framework, raised."""
    active: ActiveRequest = request.scope["state"]["active"]
    log = context_of(request).service.log
    problem = problem_of(error, path=active.path, request_id=active.id, log=log)
    return Response(
        problem.body(active.id),
        status_code=problem.status,
        media_type=PROBLEM,
        headers=problem.headers,
    )


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=[*origins],
        allow_methods=["GET", "POST"],
        allow_headers=[*_HEADERS],
        max_age=_PREFLIGHT_SECONDS,
    )
