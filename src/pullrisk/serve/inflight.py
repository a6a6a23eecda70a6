"""The requests under way: how many and how large at once, and which of them take too long.

A timer for each request would cost a tenth of what answering costs, so overdue ones are found
by a look at all of them, a few times a second.
"""

import asyncio
import re
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from pullrisk.options import ServeOptions
from pullrisk.score.history_cache import give_back_memory
from pullrisk.serve.problems import ProblemError

if TYPE_CHECKING:
    from pullrisk.serve.service import Service

_EVERY: Final = 0.1
_LATER: Final = {"retry-after": "1"}
_MB: Final = 1_000_000
_LARGE: Final = 4 * _MB
"""Bytes of a body after which the C library keeps memory that nobody needs any more."""
PROBES: Final = frozenset(("/healthz", "/readyz", "/metrics"))
"""Paths that need no key and are answered however busy the service is."""
LONGEST_PATH: Final = 1_024
"""Bytes of a path that the log and the framework get to see; no route has a longer one."""
_LONGEST_METHOD: Final = 16
"""Bytes of a method that the log gets to see: it may be any word, and as long as a head."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class ActiveRequest:
    """One request under way; it has to be answered until `expires` (monotonic seconds)."""

    __slots__ = (
        "arrived", "client", "expires", "headers", "id", "key", "method", "overdue", "path",
        "reserved", "sent", "span", "started", "status", "task",
    )  # fmt: skip

    def __init__(self, scope: dict[str, Any]) -> None:
        self.method, self.path = scope["method"][:_LONGEST_METHOD], scope["path"][:LONGEST_PATH]
        self.client: tuple[str, int] = scope["client"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = monotonic()
        self.expires = 0.0
        self.task: asyncio.Task[Any] | None = asyncio.current_task()
        self.id = self.key = ""
        self.arrived = not _has_body(self.headers)
        self.overdue = False
        self.reserved = self.status = self.sent = 0
        self.span: Any = None

    @property
    def is_probe(self) -> bool:
        """Whether it only asks how the service is."""
        return self.path in PROBES

    @property
    def awaits_body(self) -> bool:
        """Whether a body is to be read that is not there yet."""
        return self.method == "POST" and not self.arrived

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name; None too where it is no ASCII."""
        value = self.headers.get(name)
        return value.decode() if value is not None and value.isascii() else None

    def given_id(self) -> str | None:
        """The id that the client gave it, where that may stand in a log."""
        shown_id = self.header(b"x-request-id")
        return shown_id if shown_id is not None and _REQUEST_ID.fullmatch(shown_id) else None


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


class AsgiRequest(Protocol):
    """What endpoints read of a request: ASGI's own, which the framework's requests have too."""

    scope: Any
    receive: Any


def active_request(request: AsgiRequest) -> ActiveRequest:
    """The request as this service follows it."""
    active: ActiveRequest = request.scope["state"]["active"]
    return active


def service_of(request: AsgiRequest) -> "Service":
    """The service that answers the request."""
    service: Service = request.scope["state"]["service"]
    return service


class InFlight:
    """The requests that a worker answers at the moment, within `in_flight` and `in_flight_mb`."""

    def __init__(self, options: ServeOptions) -> None:
        self._options, self.body_bytes = options, options.body_bytes
        self._most_bytes = int(max(options.in_flight_mb, options.body_mb) * _MB)
        self._running: set[ActiveRequest] = set()
        self._bytes = 0
        self.parsing = asyncio.Lock()
        """Held while a large body is parsed."""
        self._had_large = False

    def enter(self, request: ActiveRequest) -> None:
        """Begin; ProblemError 503 where too many are under way. Probes always may."""
        if len(self._running) >= self._options.in_flight and not request.is_probe:
            raise ProblemError(503, "too many requests are under way", headers=_LATER)
        options = self._options
        seconds = options.body_timeout if request.awaits_body else options.timeout
        request.expires = request.started + seconds
        self._running.add(request)

    def clients(self) -> set[tuple[str, int]]:
        """The addresses and ports of those who wait for an answer."""
        return {request.client for request in self._running}

    def reserve(self, request: ActiveRequest, size: int) -> None:
        """Reserve memory for a body; ProblemError 503 where the others leave too little."""
        if self._bytes + size > self._most_bytes:
            raise ProblemError(503, "too many large bodies are under way", headers=_LATER)
        request.reserved = size
        self._bytes += size

    def arrived(self, request: ActiveRequest) -> None:
        """The whole body is there: from now on, `timeout` seconds remain to answer."""
        request.arrived = True
        request.expires = monotonic() + self._options.timeout

    def leave(self, request: ActiveRequest) -> None:
        """End."""
        self._bytes -= request.reserved
        self._had_large = self._had_large or request.reserved >= _LARGE
        request.reserved = 0
        self._running.discard(request)

    def give_up(self, request: ActiveRequest) -> ProblemError:
        """Why an overdue request was cancelled."""
        if request.task is not None:
            request.task.uncancel()
        options = self._options
        if request.awaits_body:
            text = f"the body did not arrive within {options.body_timeout:g} seconds"
            return ProblemError(408, text)
        return ProblemError(504, f"no answer within {options.timeout:g} seconds")

    async def watch(self) -> None:
        """Cancel those whose time is over, and give back the memory of large ones; for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            if self._had_large and not self._bytes:
                self._had_large = False
                # not waited for: every thread may be busy with what has to be given up here
                asyncio.get_running_loop().run_in_executor(None, give_back_memory)
            now = monotonic()
            for request in tuple(self._running):
                if now > request.expires and request.task is not None and not request.overdue:
                    request.overdue = True
                    request.task.cancel()
