"""How the service is: freshness, the queue of deliveries, failures, versions."""

import platform
from datetime import datetime
from importlib.metadata import version
from typing import Final

import msgspec
from litestar import Response

from pullrisk.dashboard.page import render
from pullrisk.dashboard.reading import Reader
from pullrisk.errors import PullriskError
from pullrisk.features import SCHEMA_HASH
from pullrisk.pulls.deliveries import DeliveryState, State
from pullrisk.serve.endpoints import health_of
from pullrisk.serve.sign_in.viewer import Viewer

_DEAD: Final = 20
"""Deliveries that were given up, the latest, that are shown."""
_LIBRARIES: Final = ("granian", "litestar", "numpy", "onnxruntime", "pyarrow")


class Queue(msgspec.Struct, frozen=True):
    """The deliveries of GitHub's webhooks: how many in each state, and those given up."""

    counts: dict[State, int]
    oldest: datetime | None
    dead: list[DeliveryState]


async def operations_page(reader: Reader, viewer: Viewer) -> Response[bytes]:
    """The page; it is shown, too, while the store or the lake is away."""
    service = reader.service
    try:
        summaries = await reader.store(lambda store: store.repositories())
        queue = await _queue(reader, viewer)
    except PullriskError:
        summaries, queue = [], None
    return render(
        "operations.html.j2",
        place="operations",
        viewer=viewer,
        health=health_of(service),
        summaries=[each for each in summaries if viewer.may_read(each.repository)],
        histories=dict(service.histories.as_of()),
        lake_version=service.dependencies.lake.version if service.lake_seen else None,
        lake_fault=service.lake_fault,
        store_fault=service.store_fault,
        queue=queue,
        has_app=reader.tables.deliveries is not None,
        versions={
            "pullrisk": version("pullrisk"),
            "model": service.loaded.version,
            "features": SCHEMA_HASH,
            "Python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    )


async def _queue(reader: Reader, viewer: Viewer) -> Queue | None:
    """The queue; None without an App. Its errors may name anything: only who may see all does."""
    counts = await reader.deliveries(lambda queue: queue.counts())
    if counts is None:
        return None
    oldest = await reader.deliveries(lambda queue: queue.oldest())
    if viewer.repositories is not None:
        return Queue(counts, oldest, [])
    dead = await reader.deliveries(lambda queue: queue.states("dead", limit=_DEAD))
    return Queue(counts, oldest, dead or [])
