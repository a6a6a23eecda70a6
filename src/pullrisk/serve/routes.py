"""The table of routes: method, path, handler, and all that the OpenAPI document says of them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pullrisk.pulls.rest_shapes import RestPull
from pullrisk.serve import shapes
from pullrisk.serve.board import Wanted
from pullrisk.serve.endpoints import Explain, NoQuery

REPOSITORY_PART: Final = r"^[A-Za-z0-9_.-]{1,100}$"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation; `handler` names a method of Endpoints.

    `open` needs no key, `admin` one of its own.
    """

    method: str
    path: str
    handler: str
    summary: str
    answer: Any
    query: type[msgspec.Struct] = NoQuery
    body: Sequence[Any] = ()
    problems: tuple[int, ...] = ()
    open: bool = False
    admin: bool = False
    media: str = "application/json"


_BODY: Final = (400, 408, 413, 415, 422, 503)

ROUTES: Final = (
    Route(
        method="POST", path="/v1/score", handler="score",
        summary="Score one pull request or a list: as GitHub's REST API describes them, or stored.",
        query=Explain, body=(RestPull, shapes.Reference), answer=shapes.Scores,
        problems=(*_BODY, 404),
    ),
    Route(
        method="POST", path="/v1/score/features", handler="raw",
        summary="Score rows of features, in the order that /v1/model names.",
        body=(list[float],), answer=shapes.RawScores, problems=_BODY,
    ),
    Route(
        method="GET", path="/v1/pulls", handler="pulls",
        summary="The latest stored pull requests, scored.",
        query=Wanted, answer=shapes.PullPage, problems=(422, 503),
    ),
    Route(
        method="GET", path="/v1/pulls/{owner}/{name}/{number}", handler="pull",
        summary="One stored pull request, scored, with reasons.",
        query=Explain, answer=shapes.Scores, problems=(404, 422, 503),
    ),
    Route(
        method="GET", path="/v1/repositories", handler="repositories",
        summary="The stored repositories, and how fresh their histories are.",
        answer=shapes.Repositories, problems=(422, 503),
    ),
    Route(
        method="GET", path="/v1/model", handler="model",
        summary="The model that answers.", answer=shapes.Model, problems=(422,),
    ),
    Route(
        method="GET", path="/healthz", handler="alive",
        summary="The process lives.", answer=shapes.Alive, open=True,
    ),
    Route(
        method="GET", path="/readyz", handler="ready",
        summary="Whether traffic should come, and what is missing.", answer=shapes.Health,
        open=True,
    ),
    Route(
        method="GET", path="/metrics", handler="metrics",
        summary="Figures for Prometheus.", answer=str, open=True, media="text/plain",
    ),
    Route(
        method="GET", path="/openapi.json", handler="openapi",
        summary="This document.", answer=dict[str, Any], open=True,
    ),
    Route(
        method="GET", path="/docs", handler="docs",
        summary="This document, for people.", answer=str, open=True, media="text/html",
    ),
)  # fmt: skip


ADMIN: Final = (
    Route(
        method="POST", path="/v1/admin/reload", handler="reload",
        summary="Load the model anew beside the present one, which stays if that is refused.",
        answer=shapes.Reloaded, problems=(408, 409, 413, 422), admin=True,
    ),
)  # fmt: skip
"""Routes of a service that has keys for them."""


class Table:
    """Finds a route by method and path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[tuple[str, ...], dict[str, Route]]] = []
        for route in routes:
            if "{" in route.path:
                self._patterns.append((tuple(route.path.split("/")), {route.method: route}))
            else:
                self._exact.setdefault(route.path, {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        """The routes of a path by method, empty for an unknown one; and the path's parameters."""
        found = self._exact.get(path)
        if found is not None:
            return found, ()
        parts = path.split("/")
        for pattern, routes in self._patterns:
            if len(pattern) == len(parts):
                pairs = list(zip(pattern, parts, strict=True))
                if all(want.startswith("{") or want == part for want, part in pairs):
                    return routes, tuple(part for want, part in pairs if want.startswith("{"))
        return {}, ()
