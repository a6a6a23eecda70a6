"""The application: Litestar's routes and documents, inside what surrounds each request."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias

from litestar import Litestar, Request, Response, Router
from litestar.config.cors import CORSConfig

from pullrisk.serve import openapi
from pullrisk.serve.direct import DirectRoutes
from pullrisk.serve.inflight import active_request, service_of
from pullrisk.serve.lifecycle import Lifecycle
from pullrisk.serve.probes import answering_probes
from pullrisk.serve.problems import PROBLEM, problem_of
from pullrisk.serve.routes import hot_endpoints, routers
from pullrisk.serve.service import Service
from pullrisk.serve.sign_in.routes import sign_in_router
from pullrisk.serve.sign_in.setup import setup_router

Lifespan: TypeAlias = Callable[[Service], AbstractAsyncContextManager[None]]
"""What lives in the process from its start until its end, beside the requests."""

_HEADERS: Final = ("authorization", "content-type", "x-api-key", "x-request-id")
_PREFLIGHT_SECONDS: Final = 600


def make_api(service: Service, lifespan: Lifespan, pages: Sequence[Router]) -> Lifecycle:
    """The ASGI application of one process; `pages` are further routes, for people."""
    dependencies = service.dependencies
    sign_in = dependencies.sign_in
    app = Litestar(
        [
            *routers(
                service.options,
                admin=dependencies.admin is not None,
                app=dependencies.webhooks is not None,
            ),
            sign_in_router(sign_in.sessions),
            setup_router(dependencies.setup),
            *pages,
        ],
        openapi_config=openapi.config(),
        exception_handlers={Exception: refuse},
        cors_config=_cors(service.options.cors_origins),
        lifespan=[
            lambda app: lifespan(service),
            lambda app: answering_probes(service.options, application),
            lambda app: sign_in.running(),
        ],
        logging_config=None,
    )
    application = Lifecycle(DirectRoutes(app, hot_endpoints(service.options)), service)
    return application


def refuse(request: "Request[Any, Any, Any]", error: Exception) -> Response[bytes]:
    """The problem document of what a handler, or the framework, raised."""
    active = active_request(request)
    problem = problem_of(error, active, service_of(request).log)
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
