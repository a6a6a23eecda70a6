"""What each route answers."""

import os
import signal
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Response
from litestar.params import Parameter

from pullrisk.errors import InputError
from pullrisk.features import NAMES, SCHEMA_HASH
from pullrisk.pulls.record import Pull
from pullrisk.serve import shapes
from pullrisk.serve.inflight import InFlight
from pullrisk.serve.keys import WrongKeys
from pullrisk.serve.metrics import CONTENT_TYPE
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.pull_list import ListQuery, PullListCache, page
from pullrisk.serve.request_body import Asked, read, read_pulls, read_rows
from pullrisk.serve.scoring import Wanted, score
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
    def wanted(self) -> Wanted:
        """What to tell beside the scores."""
        return "briefs" if self.brief else "reasons" if self.explain else "scores"


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameter at all."""


class Context(msgspec.Struct, frozen=True):
    """What the handlers of one process share; the framework's state of each request names it."""

    service: Service
    in_flight: InFlight
    pull_list: PullListCache
    wrong_keys: WrongKeys


async def score_pulls(request: Asked) -> shapes.Scores:
    """Score one pull request or a list: as GitHub's REST API describes them, or stored."""
    wanted = query_of(request, Explain).wanted
    context = context_of(request)
    options, names = context.service.options, context.service.dependencies.bot_names
    items = await read_pulls(request, context.in_flight, most=options.batch, names=names)
    return await _scores(context.service, items, wanted=wanted)


async def score_rows(request: Asked) -> shapes.RawScores:
    """Score rows of features, in the order that /v1/model names."""
    query_of(request, NoQuery)
    context = context_of(request)
    most = context.service.options.batch
    rows = await read_rows(request, context.in_flight, most=most, width=len(NAMES))
    model = context.service.loaded
    try:
        answers = model.bundle.answers(rows)
    except InputError as wrong:
        raise ProblemError(422, str(wrong.args[0])) from None
    columns = (
        [None] * len(rows) if answer is None else answer.tolist()
        for answer in (answers.risk, answers.repair, answers.revert, answers.novelty_error)
    )
    scores = [shapes.RawScore(*row) for row in zip(*columns, strict=True)]
    return shapes.RawScores(model.name, scores)


async def list_pulls(request: Asked) -> shapes.PullPage:
    """The latest stored pull requests, scored."""
    query = query_of(request, ListQuery)
    context = context_of(request)
    listed = await context.pull_list.current()
    pulls, total, following = page(listed.pulls, query)
    stale = context.service.store_fault is not None
    return shapes.PullPage(pulls, total, following, listed.as_of, stale)


async def score_stored(
    request: Asked, owner: RepositoryPart, name: RepositoryPart, number: PullNumber
) -> shapes.Scores:
    """One stored pull request, scored, with reasons."""
    wanted = query_of(request, Explain).wanted
    reference = shapes.Reference(f"{owner}/{name}", number)
    return await _scores(context_of(request).service, [reference], wanted=wanted)


async def list_repositories(request: Asked) -> shapes.Repositories:
    """The stored repositories, and how fresh their histories are."""
    query_of(request, NoQuery)
    context = context_of(request)
    listed = await context.pull_list.current()
    stale = context.service.store_fault is not None
    return shapes.Repositories(listed.repositories, listed.as_of, stale)


async def describe_model(request: Asked) -> shapes.Model:
    """The model that answers."""
    query_of(request, NoQuery)
    return model_of(context_of(request).service)


async def reload_model(request: Asked) -> shapes.Reloaded:
    """Load the model anew beside the present one, which stays if that is refused."""
    query_of(request, NoQuery)
    context = context_of(request)
    service = context.service
    await read(request, context.in_flight, most=IGNORED_BODY)
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


async def ready(request: Asked) -> Response[shapes.Health]:
    """Whether traffic should come, and what is missing."""
    health = health_of(context_of(request).service)
    return Response(health, status_code=200 if health.ready else 503)


async def metrics(request: Asked) -> Response[str]:
    """Figures for Prometheus."""
    service = context_of(request).service
    service.measure()
    return Response(service.metrics.page().decode(), headers={"content-type": CONTENT_TYPE})


def context_of(request: Asked) -> Context:
    """What this process answers with."""
    context: Context = request.scope["state"]["context"]
    return context


async def _scores(
    service: Service, items: list[Pull | shapes.Reference], *, wanted: Wanted
) -> shapes.Scores:
    pulls = await _pulls(service, items)
    model = service.loaded.name
    return shapes.Scores(model, await score(service, pulls, wanted=wanted))


async def _pulls(service: Service, items: list[Pull | shapes.Reference]) -> list[Pull]:
    """The pull requests, those of references from the store."""
    references = [item for item in items if isinstance(item, shapes.Reference)]
    if not references:
        return [item for item in items if isinstance(item, Pull)]
    stored = iter(await service.stored(references))
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
    points = service.dependencies.points or metadata.operating_points
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


def query_of(request: Asked, shape: type[T]) -> T:
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
