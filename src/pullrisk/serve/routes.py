"""The table of routes: where each endpoint answers, and what is documented of it."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import msgspec
from litestar import Request, Router, get, post
from litestar.handlers import HTTPRouteHandler

from pullrisk.options import ServeOptions
from pullrisk.serve import endpoints, webhooks
from pullrisk.serve.direct import JsonResponse
from pullrisk.serve.keys import KeyGate
from pullrisk.serve.openapi import PULL, ROW, Schema, document, one_or_many, operation
from pullrisk.serve.pull_list import ListQuery

_KEYED: Final = (401, 503)
_BODY: Final = (*_KEYED, 400, 408, 413, 415, 422)
_ANY_TIME: Final = (405, 421, 500, 504)
_ANSWER: Final = MappingProxyType({200: "The answer"})
_KEYS: Final[tuple[dict[str, list[str]], ...]] = ({"bearer": []}, {"key": []})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the table.

    `query` and `body` are what its endpoint reads; `problems` the statuses that it refuses with,
    beside those that any may; `answers` those that have its own answer, each with a sentence.
    """

    path: str
    name: str
    endpoint: Callable[..., Any]
    posted: bool = False
    query: type[msgspec.Struct] = endpoints.NoQuery
    body: Schema | None = None
    problems: tuple[int, ...] = ()
    answers: Mapping[int, str] = _ANSWER
    media: str | None = None


def routers(options: ServeOptions, *, admin: bool, app: bool) -> list[Router]:
    """All routes; those of administration only where there are keys for it, webhooks of an App."""
    keyless = (*OPEN, WEBHOOKS) if app else OPEN
    open_to_all = Router("/", route_handlers=[*map(_handler, keyless)], response_class=JsonResponse)
    scoring = Router(
        "/",
        route_handlers=[*map(_handler, scoring_routes(batch=options.batch))],
        middleware=[KeyGate],
        security=[{}, *_KEYS],
        response_class=JsonResponse,
    )
    administration = Router(
        "/",
        route_handlers=[_handler(RELOAD)],
        middleware=[partial(KeyGate, admin=True)],
        security=[*_KEYS],
        response_class=JsonResponse,
    )
    return [scoring, open_to_all, administration] if admin else [scoring, open_to_all]


def scoring_routes(*, batch: int) -> tuple[Route, ...]:
    """What needs a key, unless the service is open to all of its machine."""
    return (
        Route(
            path="/v1/score", name="score", endpoint=endpoints.score_pulls, posted=True,
            query=endpoints.Explain, body=one_or_many(PULL, most=batch),
            problems=(404, *_BODY),
        ),
        Route(
            path="/v1/score/features", name="raw", endpoint=endpoints.score_rows, posted=True,
            body=one_or_many(ROW, most=batch), problems=_BODY,
        ),
        Route(
            path="/v1/pulls", name="pulls", endpoint=endpoints.list_pulls,
            query=ListQuery, problems=(*_KEYED, 422),
        ),
        Route(
            path="/v1/pulls/{owner:str}/{name:str}/{number:int}", name="pull",
            endpoint=endpoints.score_stored, query=endpoints.Explain, problems=(*_KEYED, 404, 422),
        ),
        Route(
            path="/v1/repositories", name="repositories",
            endpoint=endpoints.list_repositories, problems=(*_KEYED, 422),
        ),
        Route(
            path="/v1/model", name="model",
            endpoint=endpoints.describe_model, problems=(*_KEYED, 422),
        ),
    )  # fmt: skip


def hot_endpoints(options: ServeOptions) -> dict[str, Callable[..., Any]]:
    """What is posted to be scored, by path: answered without the framework."""
    return {
        route.path: route.endpoint for route in scoring_routes(batch=options.batch) if route.posted
    }


async def openapi(request: "Request[Any, Any, Any]") -> dict[str, Any]:
    """This document."""
    return document(request.app)


OPEN: Final = (
    Route(path="/healthz", name="alive", endpoint=endpoints.alive),
    Route(
        path="/readyz", name="ready", endpoint=endpoints.ready,
        answers={**_ANSWER, 503: "Not ready"},
    ),
    Route(path="/metrics", name="metrics", endpoint=endpoints.metrics, media="text/plain"),
    Route(path="/openapi.json", name="openapi", endpoint=openapi),
)  # fmt: skip
"""What needs no key."""

RELOAD: Final = Route(
    path="/v1/admin/reload", name="reload", endpoint=endpoints.reload_model, posted=True,
    problems=(*_KEYED, 408, 409, 413, 422),
)  # fmt: skip
"""What needs a key of administration."""

WEBHOOKS: Final = Route(
    path="/webhooks/github", name="webhooks", endpoint=webhooks.receive, posted=True,
    body={"type": "object"}, problems=(400, 401, 408, 413, 415, 422, 503),
    answers={200: "It is known already, or nothing to do with pull requests", 202: "It is kept"},
)  # fmt: skip
"""What needs GitHub's signature instead of a key."""


def _handler(route: Route) -> HTTPRouteHandler:
    problems = {*route.problems, *_ANY_TIME} - {*route.answers}
    method = post if route.posted else get
    return method(
        route.path,
        name=route.name,
        operation_id=route.name,
        summary=route.endpoint.__doc__,
        status_code=200,
        media_type=route.media,
        operation_class=operation(
            query=route.query, body=route.body, problems=problems, answers=route.answers
        ),
    )(route.endpoint)
