"""The fake GitHub inside this process: a transport for httpx, without a socket."""

import httpx

from fake_github.app import CutError, FakeGitHub

URL = "http://localhost"
"""What Access.url is where this transport stands in for the network."""


class Inside(httpx.AsyncBaseTransport):
    """Hands each request to the application; a cut connection is httpx's own error."""

    def __init__(self, app: FakeGitHub) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The application's answer."""
        try:
            return await self._inner.handle_async_request(request)
        except CutError:
            message = "peer closed connection without sending complete message body"
            raise httpx.RemoteProtocolError(message, request=request) from None
