"""API keys: several at a time, compared in constant time, changed without a restart."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from litestar import Request
from litestar.types import ASGIApp, Receive, Scope, Send

from pullrisk.errors import SettingsError
from pullrisk.serve.connections import network
from pullrisk.serve.inflight import ActiveRequest, AsgiRequest, active_request, service_of
from pullrisk.serve.problems import ProblemError

if TYPE_CHECKING:
    from pullrisk.serve.service import Service

_FREE: Final = 10
"""Wrong keys of an address that are answered at once; each one more waits `_WAIT` longer."""
_WAIT, _MOST_WAIT, _FORGOTTEN = 0.1, 2.0, 300.0
_ADDRESSES: Final = 2_048
_NAME: Final = 8

KeySource = Callable[[], Iterable[str]]
"""Gives the keys that are valid now."""


class Keys:
    """The keys that are valid now, from a file, other sources, or both.

    A key is known by the first eight digits of its digest: that name may be logged.
    """

    def __init__(self, *, file: Path | None = None, source: KeySource = tuple) -> None:
        self._file, self._source = file, source
        self._digests: tuple[bytes, ...] = ()
        self._lock = Lock()
        self.required = False
        """Whether there was ever a key; losing all of them closes the service, never opens it."""

    def refresh(self) -> None:
        """Read the keys anew; any thread may. Raises SettingsError if the file cannot be read."""
        with self._lock:  # or who read earlier may be the last to say which hold
            keys = (*self._source(), *self._from_file())
            digests = {sha256(key.encode()).digest() for key in keys}
            self._digests = tuple(sorted(digests))
            self.required = self.required or bool(digests) or self._file is not None

    def name_of(self, presented: str) -> str | None:
        """The name of a valid key; None for any other text."""
        digest = sha256(presented.encode()).digest()
        valid = False
        for valid_digest in self._digests:  # all of them: the time must not tell which
            valid |= compare_digest(digest, valid_digest)
        return digest.hex()[:_NAME] if valid else None

    def holds(self, name: str) -> bool:
        """Whether a key of this name is valid now."""
        return any(digest.hex()[:_NAME] == name for digest in self._digests)

    def _from_file(self) -> list[str]:
        if self._file is None:
            return []
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the file of API keys {self._file} cannot be read: {error}",
                hint="serve.keys_file is a text file with one key a line",
            ) from error
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


class KeyGate:
    """Lets in the requests that show a key; a layer of the framework around routes.

    Administration has keys of its own. All others need none as long as the service listens on
    loopback and has no key.
    """

    def __init__(self, app: ASGIApp, *, admin: bool = False) -> None:
        self._app, self._admin = app, admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ProblemError 401 without a valid key."""
        await check_key(Request(scope), admin=self._admin)
        await self._app(scope, receive, send)


async def check_key(request: AsgiRequest, *, admin: bool = False) -> None:
    """Note whose key the request shows. Raises ProblemError 401 without a valid one.

    An address that has shown many wrong ones waits for that answer, and meanwhile counts as no
    request under way. Valid keys never wait: a proxy's address may be everybody's.
    """
    service, active = service_of(request), active_request(request)
    admin_keys = service.dependencies.admin if admin else None
    keys = admin_keys or service.dependencies.keys
    if not admin_keys and service.is_open:
        return
    key = shown_key(active)
    name = keys.name_of(key)
    if name is None:
        if key:
            await slow_down(service, active)
        raise ProblemError(401, "send a valid key", headers={"www-authenticate": "Bearer"})
    active.key = name


async def slow_down(service: "Service", request: ActiveRequest) -> None:
    """A wrong key was shown: wait, the longer the more of them came from that address."""
    service.in_flight.leave(request)
    await asyncio.sleep(service.wrong_keys.note(network(request.client[0])))


class WrongKeys:
    """How many wrong keys addresses have shown lately, of the latest such addresses."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._shown)

    def note(self, address: str) -> float:
        """One more was shown; the seconds that its answer has to wait."""
        now = monotonic()
        count, latest = self._shown.pop(address, (0, now))
        count = 1 + (count if now - latest < _FORGOTTEN else 0)
        self._shown[address] = count, now
        if len(self._shown) > _ADDRESSES:
            self._shown.popitem(last=False)
        return min(_MOST_WAIT, _WAIT * max(0, count - _FREE))


def shown_key(request: ActiveRequest) -> str:
    """The key that a request shows: a bearer token, or X-API-Key; empty without."""
    authorization = request.header(b"authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    return request.header(b"x-api-key") or ""
