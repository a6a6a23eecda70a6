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
from pullrisk.serve.endpoints import PullNumber, RepositoryPart, context_of
from pullrisk.serve.problems import TITLES, problem_of
from pullrisk.serve.sign_in.viewer import Viewer, viewer_of

_Asked = Request[Any, Any, Any]
_KEPT: Final = "public, max-age=31536000, immutable"


def make_pages(tables: Tables) -> list[Router]:
    """The routers of all pages, and of the files that they load."""

    @get("/")
    async def pulls(request: _Asked, viewer: Viewer) -> Response[Any]:
        query = request.scope["query_string"]
        return shorter(query) or await pulls_page(_reader(request, tables), viewer, query)

    @get("/live/pulls")
    async def pulls_live(request: _Asked, viewer: Viewer) -> Response[bytes]:
        return await pulls_part(_reader(request, tables), viewer, request.scope["query_string"])

    @get("/pulls/{owner:str}/{name:str}/{number:int}")
    async def pull(
        request: _Asked,
        viewer: Viewer,
        owner: RepositoryPart,
        name: RepositoryPart,
        number: PullNumber,
    ) -> Response[bytes]:
        repository = _readable(f"{owner}/{name}", viewer)
        return await pull_page(_reader(request, tables), viewer, (repository, number))

    @get("/repositories")
    async def repositories(request: _Asked, viewer: Viewer) -> Response[bytes]:
        return await repositories_page(_reader(request, tables), viewer)

    @get("/repositories/{owner:str}/{name:str}")
    async def repository(
        request: _Asked, viewer: Viewer, owner: RepositoryPart, name: RepositoryPart
    ) -> Response[bytes]:
        known = _readable(f"{owner}/{name}", viewer)
        return await repository_page(_reader(request, tables), viewer, known)

    @get("/models")
    async def models(request: _Asked, viewer: Viewer) -> Response[bytes]:
        return await models_page(_reader(request, tables), viewer)

    @get("/operations")
    async def operations(request: _Asked, viewer: Viewer) -> Response[bytes]:
        return await operations_page(_reader(request, tables), viewer)

    pages = Router(
        "/",
        route_handlers=[pulls, pulls_live, pull, repositories, repository, models, operations],
        dependencies={"viewer": Provide(viewer_of)},
        exception_handlers={Exception: refuse},
        include_in_schema=False,
    )
    return [pages, Router("/", route_handlers=[static], include_in_schema=False)]


@get("/static/{name:str}")
async def static(name: str) -> Response[bytes]:
    """A file that pages load; its address changes with its content."""
    if name not in STATIC:
        raise NotFoundException
    headers = {"cache-control": _KEPT}
    return Response(static_file(name), media_type=STATIC[name], headers=headers)


def refuse(request: _Asked, error: Exception) -> Response[bytes]:
    """The page that says why there is no other."""
    active = request.scope["state"]["active"]
    log = context_of(request).service.log
    problem = problem_of(error, path=active.path, request_id=active.id, log=log)
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


def _reader(request: _Asked, tables: Tables) -> Reader:
    return Reader(context_of(request).service, tables)


def _readable(repository: str, viewer: Viewer) -> str:
    """The name. Raises NotFoundException if the viewer may not read it, as if there were none."""
    if not viewer.may_read(repository):
        raise NotFoundException
    return repository
