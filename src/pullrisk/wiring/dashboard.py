"""From settings to the dashboard's pages inside the scoring service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pullrisk.wiring.app import Running
from pullrisk.wiring.served_models import read_registry

if TYPE_CHECKING:
    from litestar import Router

    from pullrisk.pulls.deliveries import DeliveryQueue
    from pullrisk.pulls.scores import ScoreTable
    from pullrisk.serve.inflight import InFlight
    from pullrisk.serve.service import Service
    from pullrisk.wiring.provision import Current


class Dashboard:
    """The pages, and what keeps them up to date while the service runs."""

    def __init__(
        self, current: "Current", scores: "ScoreTable", deliveries: "DeliveryQueue | None"
    ) -> None:
        from pullrisk.dashboard.figures import FiguresCache
        from pullrisk.dashboard.reading import Tables
        from pullrisk.dashboard.registry import RegistryReader

        registry = RegistryReader(lambda: read_registry(current.settings))
        self._tables = Tables(scores, FiguresCache(), registry, deliveries)

    def routers(self) -> "list[Router]":
        """The routers of all pages."""
        from pullrisk.dashboard.routes import make_pages

        return make_pages(self._tables)

    @asynccontextmanager
    async def running(
        self, service_running: Running, service: "Service", in_flight: "InFlight"
    ) -> AsyncIterator[None]:
        """What lives in the process: the service, and what publishes scores beside it."""
        from pullrisk.dashboard.publishing import publishing

        try:
            async with service_running(service, in_flight), publishing(service, self._tables):
                yield
        finally:
            self._tables.scores.close()
