"""Where each page answers; a page that is refused is a page too."""

from typing import Any, Final

from litestar import Request, Response, Router, get
from litestar.di import Provide
from litestar.exceptions import NotFoundException

from pullrisk.dashboard.models_page import models_page
from pullrisk.dashboard.operations_page import operations_page
from pullrisk.dashboard.page import STATIC, render, static_file
from pullrisk.dashboard.pull_page import pull_page
from pullrisk.dashboard.pulls_page import pulls_page, pulls_part, shorter
from pullrisk.dashboard.reading import Reader, Tables
from pullrisk.dashboard.repository_page import repositories_page, repository_page
from pullrisk.serve.endpoints import PullNumber, RepositoryPart
from pullrisk.serve.inflight import active_request, service_of
from pullrisk.serve.problems import TITLES, problem_of
from pullrisk.serve.sign_in.viewer import Viewer, viewer_of

AnyRequest = Request[Any, Any, Any]
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def make_pages(tables: Tables) -> list[Router]:
    """The routers of all pages, and of the files that they load."""

    async def reader_of(request: AnyRequest) -> Reader:
        return Reader(service_of(request), tables)

    pages = Router(
        "/",
        route_handlers=[
            get("/")(pulls),
            get("/live/pulls")(live_pulls),
            get("/pulls/{owner:str}/{name:str}/{number:int}")(pull),
            get("/repositories")(repositories_page),
            get("/repositories/{owner:str}/{name:str}")(repository),
            get("/models")(models_page),
            get("/operations")(operations_page),
        ],
        dependencies={"viewer": Provide(viewer_of), "reader": Provide(reader_of)},
        exception_handlers={Exception: refuse},
        include_in_schema=False,
    )
    return [pages, Router("/", route_handlers=[static], include_in_schema=False)]


async def pulls(request: AnyRequest, reader: Reader, viewer: Viewer) -> Response[Any]:
    """The list of pulls, or a shorter address of it."""
    query = request.scope["query_string"]
    return shorter(query) or await pulls_page(reader, viewer, query)


async def live_pulls(request: AnyRequest, reader: Reader, viewer: Viewer) -> Response[bytes]:
    """The list alone."""
    return await pulls_part(reader, viewer, request.scope["query_string"])


async def pull(
    reader: Reader, viewer: Viewer, owner: RepositoryPart, name: RepositoryPart, number: PullNumber
) -> Response[bytes]:
    """One pull."""
    return await pull_page(reader, viewer, (_readable(f"{owner}/{name}", viewer), number))


async def repository(
    reader: Reader, viewer: Viewer, owner: RepositoryPart, name: RepositoryPart
) -> Response[bytes]:
    """One repository."""
    return await repository_page(reader, viewer, _readable(f"{owner}/{name}", viewer))


@get("/static/{name:str}")
async def static(name: str) -> Response[bytes]:
    """A file that pages load; its address changes with its content."""
    if name not in STATIC:
        raise NotFoundException
    headers = {"cache-control": _FOR_EVER}
    return Response(static_file(name), media_type=STATIC[name], headers=headers)


def refuse(request: AnyRequest, error: Exception) -> Response[bytes]:
    """The page that says why there is no other."""
    active = active_request(request)
    problem = problem_of(error, active, service_of(request).log)
    page = render(
        "problem.html.j2",
        status=problem.status,
        code=problem.status,
        title=TITLES.get(problem.status, "Refused"),
        detail=problem.detail,
        request_id=active.id,
        place=None,
        viewer=None,
    )
    page.headers.update(problem.headers)
    return page


def _readable(repository: str, viewer: Viewer) -> str:
    """The name. Raises NotFoundException if the viewer may not read it, as if there were none."""
    if not viewer.may_read(repository):
        raise NotFoundException
    return repository
