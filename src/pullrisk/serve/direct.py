"""The routes that are asked most, answered without the framework.

Routing, dependencies and responses of the framework take a third of the time that a row of
features does. Its own handlers of the same endpoints remain: for the document, and for requests
from pages of other origins.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from pullrisk.serve.inflight import ActiveRequest
from pullrisk.serve.keys import check_key
from pullrisk.serve.request_body import Asked
from pullrisk.serve.responses import send_json

Endpoint: TypeAlias = Callable[[Asked], Awaitable[Any]]
_OTHER_ORIGIN: Final = b"origin"


class _Request(msgspec.Struct):
    """A request as ASGI hands it over."""

    scope: Any
    receive: Any


class DirectRoutes:
    """An ASGI application: POST requests to the `endpoints` by path, all others by `api`."""

    def __init__(
        self, api: Callable[..., Awaitable[None]], endpoints: Mapping[str, Endpoint]
    ) -> None:
        self._api, self._endpoints = api, endpoints

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        """Raises what the endpoint raises, and ProblemError 401 without a valid key."""
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._endpoints.get(scope["path"])
        if endpoint is None or _has_origin(scope):
            await self._api(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        await check_key(scope)
        answer = await endpoint(_Request(scope, receive))
        await send_json(answer, send)


def _has_origin(scope: dict[str, Any]) -> bool:
    """Whether the headers of CORS belong into the answer, or a refusal."""
    active: ActiveRequest = scope["state"]["active"]
    return _OTHER_ORIGIN in active.headers
