"""Who looks at a page: a dependency of every page's handler.

A router names it, `dependencies={"viewer": Provide(viewer_of)}`, and each handler takes
`viewer: Viewer` and shows nothing that it may not read.
"""

from typing import Any, Final

import msgspec
from litestar import Request

from pullrisk.serve.endpoints import context_of
from pullrisk.serve.keys import check_key


class Viewer(msgspec.Struct, frozen=True):
    """A person, or somebody with an API key; what is not in `repositories` is not theirs to see.

    `repositories` holds names as GitHub spells them, or is None for all: the service listens on
    loopback without keys, or an API key was shown.
    """

    login: str | None = None
    repositories: frozenset[str] | None = frozenset()

    def may_read(self, repository: str) -> bool:
        """Whether this repository's pages may be shown; an unknown one may not."""
        return self.repositories is None or repository in self.repositories


EVERYTHING: Final = Viewer(repositories=None)
"""Who may see all, and has no name."""


async def viewer_of(request: "Request[Any, Any, Any]") -> Viewer:
    """Who sent the request. Raises ProblemError 401 if nobody is signed in."""
    if not context_of(request).service.is_open:
        await check_key(request.scope)
    return EVERYTHING
