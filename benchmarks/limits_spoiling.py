"""Servers that answer what they should not: another application's answers, spoilt at random."""

import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from support.page_fuzz import spoilt

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_BODIES: Final = (
    b"", b"null", b"[]", b'"text"', b"{", b'{"a":"\xff"}', b"[" * 20_000, b'{"a":' * 20_000,
    b"\x00" * 1_000, b"9" * 100_000, b'{"a":"\\ud800"}', b"<html>no JSON</html>",
)  # fmt: skip
_STATUSES: Final = (200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 406, 418, 422, 429, 500, 502)
_LOCATIONS: Final = (b"http://[", b"//", b"", b"http://127.0.0.1:1/", b"javascript:a", b"\xff")


class Spoiling:
    """An ASGI application around another; `share` of its answers to programs are spoilt."""

    def __init__(self, application: Application, *, seed: int) -> None:
        self.application, self.share = application, 0.0
        self._chance = random.Random(seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self._chance.random() >= self.share:
            await self.application(scope, receive, send)
            return
        sent: list[MutableMapping[str, Any]] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.application(scope, receive, keep)
        status, headers = sent[0]["status"], list(sent[0]["headers"])
        body = b"".join(message.get("body", b"") for message in sent[1:])
        status, body = self._spoil(status, body)
        if status in (301, 302):
            headers.append((b"location", self._chance.choice(_LOCATIONS)))
        kept = [(name, text) for name, text in headers if name.lower() != b"content-length"]
        await send({"type": "http.response.start", "status": status, "headers": kept})
        await send({"type": "http.response.body", "body": b"" if status in (204, 304) else body})

    def _spoil(self, status: int, body: bytes) -> tuple[int, bytes]:
        kind = self._chance.randrange(4)
        if kind == 0:
            return self._chance.choice(_STATUSES), body
        if kind == 1:
            return status, self._chance.choice(_BODIES)
        try:
            return status, json.dumps(spoilt(json.loads(body), self._chance)).encode()
        except ValueError:
            return status, body
