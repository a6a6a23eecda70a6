"""The open pulls of the store that a brief names as under way, read anew when they are old."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final

from pullrisk.brief.under_way import MOST_OPEN, open_works
from pullrisk.errors import PullriskError
from pullrisk.pulls.lines import UnmergedWork

if TYPE_CHECKING:
    from pullrisk.serve.service import Service

_MOST_REPOSITORIES: Final = 100
"""Repositories whose open pulls are kept: those read last."""


class OpenWorks:
    """Keeps each repository's for `refresh` seconds; a store that is away or none has none."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._kept: dict[str, tuple[float, Sequence[UnmergedWork]]] = {}

    async def of(self, repository: str) -> Sequence[UnmergedWork]:
        """The open pulls of the repository, the latest MOST_OPEN."""
        due, works = self._kept.get(repository, (0.0, ()))
        if monotonic() < due or not self._service.dependencies.has_store():
            return works
        try:
            works = await self._service.from_store(
                lambda store: open_works(
                    store.recent(repository=repository, state="open", limit=MOST_OPEN)
                )
            )
        except PullriskError:
            return works
        self._kept.pop(repository, None)
        if len(self._kept) >= _MOST_REPOSITORIES:
            del self._kept[next(iter(self._kept))]
        self._kept[repository] = monotonic() + self._service.options.refresh, works
        return works
