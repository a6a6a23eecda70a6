"""What is asked most, answered past the framework: routes by their path, JSON as it is encoded.

Routing, dependencies and responses of the framework take a third of the time that a row of
features does; of an answer of 60 µs, its cookies, mutable headers and choice of encoders take 8.
Its own handlers of the same endpoints remain: for the document, and for requests from pages of
other origins.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from pullrisk.serve.inflight import AsgiRequest, active_request
from pullrisk.serve.keys import check_key

Endpoint: TypeAlias = Callable[[AsgiRequest], Awaitable[Any]]
_encoder: Final = msgspec.json.Encoder()
_JSON: Final = (b"content-type", b"application/json")
_OTHER_ORIGIN: Final = b"origin"


class JsonResponse(Response[Any]):
    """What a handler of the framework returned, as JSON."""

    def __init__(self, content: Any, *, status_code: int, **_: object) -> None:  # noqa: ANN401
        self.content, self.status_code = content, status_code

    def to_asgi_response(
        self, app: object, request: "Request[Any, Any, Any]", **_: object
    ) -> ASGIResponse:
        """The encoded answer."""
        return _Encoded(self.status_code or 200, _encoder.encode(self.content))


class _Encoded(ASGIResponse):
    """A status and a body."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status_code, self.body = status, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _send(self.status_code, self.body, send)


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
        request = _Request(scope, receive)
        # the framework adds the headers of CORS to the answer, or refuses
        if endpoint is None or _OTHER_ORIGIN in active_request(request).headers:
            await self._api(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        await check_key(request)
        await _send(200, _encoder.encode(await endpoint(request)), send)


async def _send(status: int, body: bytes, send: Send) -> None:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
