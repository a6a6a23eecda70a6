"""Who looks at a page: a dependency of every page's handler.

A router names it, `dependencies={"viewer": Provide(viewer_of)}`, and each handler takes
`viewer: Viewer` and shows nothing that it may not read.
"""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request

from pullrisk.serve.inflight import active_request, service_of
from pullrisk.serve.keys import check_key, shown_key
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.sign_in.session import check_csrf

SIGN_IN: Final = "/sign-in"
_LONGEST_BACK: Final = 1_000


class Viewer(msgspec.Struct, frozen=True):
    """A person, or somebody with an API key; what is not in `repositories` is not theirs to see.

    `repositories` holds names as the store spells them, or is None for all: the service listens on
    loopback without keys, or an API key was shown. `csrf` is what a form has to send in the field
    of that name, to /sign-out too; empty if nobody signed in.
    """

    login: str | None = None
    repositories: frozenset[str] | None = frozenset()
    csrf: str = ""

    def may_read(self, repository: str) -> bool:
        """Whether this repository's pages may be shown; an unknown one may not."""
        return self.repositories is None or repository in self.repositories


EVERYTHING: Final = Viewer(repositories=None)
"""Who may see all, and has no name."""


async def viewer_of(request: "Request[Any, Any, Any]") -> Viewer:
    """Who sent the request: by an API key in a header, or by a session.

    Raises ProblemError: 303 to the page for signing in, or 401 for what is no page; 403 for a form
    without the session's token; 503 if GitHub does not tell what the person may read.
    """
    service, active = service_of(request), active_request(request)
    sign_in = service.dependencies.sign_in
    if shown_key(active):
        if not service.is_open:
            await check_key(request)
        return EVERYTHING
    session = await sign_in.sessions.load(request)
    await check_csrf(request, session)
    if service.is_open:
        return EVERYTHING
    viewer = await sign_in.viewer(session, service)
    if viewer is None:
        raise sign_in_first(request)
    active.key = f"@{viewer.login}" if viewer.login else "session"
    return viewer


def sign_in_first(request: "Request[Any, Any, Any]") -> ProblemError:
    """The refusal of who is not signed in: a browser is led to the page for it, and back later."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return ProblemError(401, "sign in first", headers={"www-authenticate": "Bearer"})
    back = quote(request.scope["path"])
    query = request.scope["query_string"].decode("latin-1")
    target = quote(f"{back}?{query}" if query else back, safe="/")
    where = f"{SIGN_IN}?back={target}" if len(target) < _LONGEST_BACK else SIGN_IN
    return ProblemError(303, "sign in first", headers={"location": where})
