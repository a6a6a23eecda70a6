"""What each route answers."""

import os
import signal
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Response
from litestar.params import Parameter
from msgspec.structs import astuple

from pullrisk.features import NAMES, SCHEMA_HASH
from pullrisk.pulls.record import Pull
from pullrisk.serve import shapes
from pullrisk.serve.inflight import AsgiRequest, service_of
from pullrisk.serve.metrics import CONTENT_TYPE
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.pull_list import ListQuery, page
from pullrisk.serve.request_body import read, read_pulls, read_rows
from pullrisk.serve.scoring import Detail, score
from pullrisk.serve.service import Service

T = TypeVar("T")
RepositoryPart = Annotated[str, Parameter(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
PullNumber = Annotated[int, Parameter(ge=1, lt=2**53)]
_SHORT_QUERY: Final = 200
IGNORED_BODY: Final = 1_000
"""Most bytes of a body that is read and not looked at."""


class Explain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to give reasons, and whether to give the whole brief."""

    explain: bool = True
    brief: bool = False

    @property
    def detail(self) -> Detail:
        """What to tell of each pull."""
        return "briefs" if self.brief else "reasons" if self.explain else "scores"


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameter at all."""


async def score_pulls(request: AsgiRequest) -> shapes.Scores:
    """Score one pull request or a list: as GitHub's REST API describes them, or stored."""
    detail = query_of(request, Explain).detail
    service = service_of(request)
    most, names = service.options.batch, service.dependencies.bot_names
    items = await read_pulls(request, service.in_flight, most=most, names=names)
    return await _scores(service, items, detail=detail)


async def score_rows(request: AsgiRequest) -> shapes.RawScores:
    """Score rows of features, in the order that /v1/model names."""
    query_of(request, NoQuery)
    service = service_of(request)
    most = service.options.batch
    rows = await read_rows(request, service.in_flight, most=most, width=len(NAMES))
    model, scores = await service.row_scorer.score(rows)
    return shapes.RawScores(model, scores)


async def list_pulls(request: AsgiRequest) -> shapes.PullPage:
    """The latest stored pull requests, scored."""
    query = query_of(request, ListQuery)
    service = service_of(request)
    listed = await service.pull_list.current()
    pulls, total, following = page(listed.pulls, query)
    stale = service.store_fault is not None
    return shapes.PullPage(pulls, total, following, listed.as_of, stale)


async def score_stored(
    request: AsgiRequest, owner: RepositoryPart, name: RepositoryPart, number: PullNumber
) -> shapes.Scores:
    """One stored pull request, scored, with reasons."""
    detail = query_of(request, Explain).detail
    reference = shapes.Reference(f"{owner}/{name}", number)
    return await _scores(service_of(request), [reference], detail=detail)


async def list_repositories(request: AsgiRequest) -> shapes.Repositories:
    """The stored repositories, and how fresh their histories are."""
    query_of(request, NoQuery)
    service = service_of(request)
    listed = await service.pull_list.current()
    stale = service.store_fault is not None
    return shapes.Repositories(listed.repositories, listed.as_of, stale)


async def describe_model(request: AsgiRequest) -> shapes.Model:
    """The model that answers."""
    query_of(request, NoQuery)
    return model_of(service_of(request))


async def reload_model(request: AsgiRequest) -> shapes.Reloaded:
    """Load the model anew beside the present one, which stays if that is refused."""
    query_of(request, NoQuery)
    service = service_of(request)
    await read(request, most=IGNORED_BODY)
    before = service.loaded.version
    refused = await service.models.swap()
    if refused is not None:
        raise ProblemError(409, f"{before} stays: {refused}")
    if service.options.workers > 1:
        os.kill(os.getppid(), signal.SIGHUP)  # which tells all of them
    return shapes.Reloaded(service.loaded.name, before)


async def alive() -> shapes.Alive:
    """The process lives."""
    return shapes.Alive()


async def ready(request: AsgiRequest) -> Response[shapes.Health]:
    """Whether traffic should come, and what is missing."""
    health = health_of(service_of(request))
    return Response(health, status_code=200 if health.ready else 503)


async def metrics(request: AsgiRequest) -> Response[str]:
    """Figures for Prometheus."""
    service = service_of(request)
    service.measure()
    return Response(service.metrics.page().decode(), headers={"content-type": CONTENT_TYPE})


async def _scores(
    service: Service, items: list[Pull | shapes.Reference], *, detail: Detail
) -> shapes.Scores:
    pulls = await _pulls(service, items)
    model = service.loaded.name
    return shapes.Scores(model, await score(service, pulls, detail=detail))


async def _pulls(service: Service, items: list[Pull | shapes.Reference]) -> list[Pull]:
    """The pull requests, those of references from the store."""
    references = [item for item in items if isinstance(item, shapes.Reference)]
    if not references:
        return [item for item in items if isinstance(item, Pull)]
    stored = iter(
        await service.from_store(lambda store: [store.get(*astuple(item)) for item in references])
    )
    pulls = []
    for item in items:
        pull = next(stored) if isinstance(item, shapes.Reference) else item
        if pull is None:
            raise ProblemError(404, f"{item.repository}#{item.number} is not in the store")
        pulls.append(pull)
    return pulls


def model_of(service: Service) -> shapes.Model:
    """The model that answers, described."""
    model = service.loaded
    metadata = model.bundle.metadata
    points = service.dependencies.points
    return shapes.Model(
        version=model.version,
        registered=model.registered,
        source=model.source,
        schema_hash=metadata.schema_hash,
        loaded_at=model.loaded_at,
        risk_available=metadata.risk_available,
        repair_available=metadata.repair_available,
        revert_available=metadata.revert_available,
        maturity_days=metadata.facts.maturity_days,
        examples=metadata.facts.examples,
        repaired=metadata.facts.repaired,
        reverted=metadata.facts.reverted,
        dataset_version=metadata.facts.dataset_version,
        high=points.high,
        elevated=points.elevated,
        features=list(NAMES),
    )


def health_of(service: Service) -> shapes.Health:
    """What the service needs and has.

    The store, and a lake that moved to another schema, are reported only: the service goes on
    without the one, and with what it read of the other. No path or name: the log has the errors,
    and this is told without a key.
    """
    model = service.models.current
    version = "none loaded" if model is None else model.version
    if service.models.fault is not None:
        version = f"{version}, the last good one: the present one was refused"
    lake = "current" if service.lake_fault is None else "the lake cannot be read"
    conflict = "the lake is of another one" if service.schema_conflict else SCHEMA_HASH
    needed = [
        shapes.Check("model", model is not None, version),
        shapes.Check("histories", service.lake_seen, lake),
        shapes.Check("not draining", not service.draining, "stopping" if service.draining else ""),
    ]
    reported = [
        shapes.Check("schema", service.schema_conflict is None, conflict),
        shapes.Check("store", service.store_fault is None, service.store_answer),
    ]
    return shapes.Health(all(check.ok for check in needed), needed + reported)


def query_of(request: AsgiRequest, shape: type[T]) -> T:
    """The query as `shape`. ProblemError 422 for an unknown parameter, a bad value, or one that
    is given twice, all of which the framework would let pass."""
    text: bytes = request.scope["query_string"]
    convert = _remembered if len(text) <= _SHORT_QUERY else _converted
    query: T = convert(text, shape)  # type: ignore[arg-type]  # it is hashable
    return query


def _converted(text: bytes, shape: type[Any]) -> Any:  # noqa: ANN401  (what `shape` says)
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise ProblemError(422, "a query parameter is given twice")
    try:
        return msgspec.convert(parameters, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"query: {error}") from None


_remembered: Final = lru_cache(maxsize=1_024)(_converted)  # most come again and again
