"""Probes at a port of their own: a second listener of a worker, in the same event loop.

Whoever fills the other port with connections keeps no probe from being answered, and a network
policy can keep this one to Prometheus and the node.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from pullrisk.options import ServeOptions
from pullrisk.serve.connections import http1_settings
from pullrisk.serve.inflight import PROBES

_NOWHERE: Final = "/-"
"""A path that no route has."""


@asynccontextmanager
async def answering_probes(options: ServeOptions, application: Any) -> AsyncIterator[None]:  # noqa: ANN401
    """Hand the probes that come at `probe_port`, where that is set, to the ASGI application."""
    if options.probe_port is None:
        yield
        return
    server = Server(
        only_probes(application),
        address=options.host,
        port=options.probe_port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=http1_settings(options),
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    yield
    server.stop()  # type: ignore[no-untyped-call]
    await serving


def only_probes(application: Any) -> Any:  # noqa: ANN401  (ASGI applications)
    """The application, to which every other path is an unknown one."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["path"] not in PROBES:
            scope["path"] = _NOWHERE
        await application(scope, receive, send)

    return answer
