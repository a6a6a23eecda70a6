"""What each route answers."""

import os
import signal
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from pullrisk.errors import InputError, StoreError
from pullrisk.features import NAMES, SCHEMA_HASH
from pullrisk.pulls.record import Pull
from pullrisk.serve import shapes
from pullrisk.serve.asked import parse, parse_rows
from pullrisk.serve.board import Board, Wanted, page
from pullrisk.serve.http import JSON, ProblemError, Request, Response, json_response, query_of
from pullrisk.serve.metrics import CONTENT_TYPE
from pullrisk.serve.scoring import score
from pullrisk.serve.service import Service

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")
_MB: Final = 1_000_000
_NO_BODY: Final = 1_000
"""Bytes that are read and not looked at."""


class Explain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to give reasons."""

    explain: bool = True


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameter at all."""


class Endpoints:
    """The handlers, over one service."""

    def __init__(self, service: Service, openapi: bytes, docs: bytes) -> None:
        self.service, self.board = service, Board(service)
        self._openapi, self._docs = openapi, docs

    async def score(self, request: Request) -> Response:
        """Score one pull request or a list."""
        explained = _query(request, Explain).explain
        body = await self._body(request)
        asked = parse(body, most=self.service.options.batch)
        pulls = await self._pulls(asked)
        name = self.service.loaded.name
        return json_response(
            shapes.Scores(name, await score(self.service, pulls, explained=explained))
        )

    async def raw(self, request: Request) -> Response:
        """Score rows of features, as they are."""
        _query(request, NoQuery)
        body = await self._body(request)
        rows = parse_rows(body, most=self.service.options.batch, width=len(NAMES))
        model = self.service.loaded
        try:
            risk, error, _ = model.bundle.raw(rows)
        except InputError as wrong:
            raise ProblemError(422, str(wrong.args[0])) from None
        risks = risk.tolist() if model.bundle.metadata.risk_available else [None] * len(rows)
        pairs = zip(risks, error.tolist(), strict=True)
        return json_response(
            shapes.RawScores(model.name, [shapes.RawScore(*pair) for pair in pairs])
        )

    async def pulls(self, request: Request) -> Response:
        """A page of the stored pull requests."""
        wanted = _query(request, Wanted)
        listed = await self.board.listed()
        found, total, following = page(listed.pulls, wanted)
        stale = self.service.store_fault is not None
        return json_response(shapes.PullPage(found, total, following, listed.as_of, stale))

    async def pull(self, request: Request) -> Response:
        """One stored pull request, with reasons."""
        explained = _query(request, Explain).explain
        owner, name, number = request.parameters
        if not number.isdecimal() or not 0 < int(number[:20]) < 2**53:
            raise ProblemError(404, f"{number} is no number of a pull request")
        reference = shapes.Reference(f"{owner}/{name}", int(number))
        pulls = await self._pulls([reference])
        model = self.service.loaded.name
        return json_response(
            shapes.Scores(model, await score(self.service, pulls, explained=explained))
        )

    async def repositories(self, request: Request) -> Response:
        """Every stored repository."""
        _query(request, NoQuery)
        listed = await self.board.listed()
        stale = self.service.store_fault is not None
        return json_response(shapes.Repositories(listed.repositories, listed.as_of, stale))

    async def model(self, request: Request) -> Response:
        """The model that answers."""
        _query(request, NoQuery)
        model = self.service.loaded
        metadata = model.bundle.metadata
        points = self.service.parts.points or metadata.operating_points
        return json_response(
            shapes.Model(
                version=model.version,
                registered=model.registered,
                source=model.source,
                schema_hash=metadata.schema_hash,
                loaded_at=model.loaded_at,
                risk_available=metadata.risk_available,
                target=metadata.facts.target,
                maturity_days=metadata.facts.maturity_days,
                examples=metadata.facts.examples,
                positives=metadata.facts.positives,
                dataset_version=metadata.facts.dataset_version,
                high=points.high,
                elevated=points.elevated,
                features=list(NAMES),
            )
        )

    async def reload(self, request: Request) -> Response:
        """Load the model anew, here and then in the other workers."""
        _query(request, NoQuery)
        await request.body(limit=_NO_BODY, seconds=self.service.options.timeout)
        before = self.service.loaded.version
        refused = await self.service.models.swap()
        if refused is not None:
            raise ProblemError(409, f"{before} stays: {refused}")
        if self.service.options.workers > 1:
            os.kill(os.getppid(), signal.SIGHUP)  # which tells all of them
        return json_response(shapes.Reloaded(self.service.loaded.name, before))

    async def alive(self, request: Request) -> Response:
        """The process lives."""
        return json_response(shapes.Alive())

    async def ready(self, request: Request) -> Response:
        """Whether traffic should come; 503 where not."""
        health = health_of(self.service)
        return json_response(health, status=200 if health.ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Prometheus' page."""
        self.service.measure()
        return Response(200, self.service.metrics.page(), CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        return Response(200, self._openapi)

    async def docs(self, request: Request) -> Response:
        """The same for people."""
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = (("content-security-policy", policy),)
        return Response(200, self._docs, "text/html; charset=utf-8", headers)

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type") or JSON
        if kind != JSON and kind.partition(";")[0].strip().lower() != JSON:
            raise ProblemError(415, "the body has to be application/json")
        options = self.service.options
        return await request.body(limit=int(options.body_mb * _MB), seconds=options.timeout)

    async def _pulls(self, asked: list[Pull | shapes.Reference]) -> list[Pull]:
        references = [one for one in asked if isinstance(one, shapes.Reference)]
        if not references:
            return [one for one in asked if isinstance(one, Pull)]
        try:
            stored = iter(await self.service.stored(references))
        except StoreError as error:
            raise ProblemError(503, f"the pull store cannot be read: {error.args[0]}") from None
        found = [(one, next(stored) if isinstance(one, shapes.Reference) else one) for one in asked]
        for one, pull in found:
            if pull is None:
                raise ProblemError(404, f"{one.repository}#{one.number} is not in the store")
        return [pull for _, pull in found if pull is not None]


def health_of(service: Service) -> shapes.Health:
    """What the service needs and has; the store, and a lake that moved to another schema, are
    told of: it goes on without the one and with what it read of the other."""
    model, lake, store = service.models.current, service.lake_fault, service.store_fault
    version = "none loaded" if model is None else model.version
    if service.models.fault is not None:
        version = f"{version}, the last good one: {service.models.fault}"
    needed = [
        shapes.Check("model", model is not None, version),
        shapes.Check("histories", service.lake_seen, lake or "current"),
        shapes.Check("not draining", not service.draining, "stopping" if service.draining else ""),
    ]
    conflict = service.schema_conflict
    told = [
        shapes.Check("schema", conflict is None, conflict or SCHEMA_HASH),
        shapes.Check("store", store is None, store or ""),
    ]
    return shapes.Health(all(check.ok for check in needed), needed + told)


def _query(request: Request, shape: type[T]) -> T:
    found: T = _converted(request.query_string, shape)  # type: ignore[arg-type]  # it is hashable
    return found


@lru_cache(maxsize=1_024)
def _converted(text: str, shape: type[Any]) -> Any:  # noqa: ANN401  (what `shape` says)
    """The query's parameters; most queries are asked again and again."""
    try:
        return msgspec.convert(query_of(text), shape, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"query: {error}") from None
