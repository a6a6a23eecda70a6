"""What the registry of models says, kept for some minutes: asking it takes seconds."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final

import msgspec

_KEPT: Final = 120.0
"""Seconds after which the registry is asked again."""
_PATIENCE: Final = 1.0
"""Seconds that a page waits for its answer."""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One registered version; `tags` are its lineage and what the gate said."""

    version: str
    created_at: datetime
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class ChampionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of champion."""

    at: datetime
    action: str
    version: str
    by: str
    replaced: str | None = None
    reason: str = ""


class Registered(msgspec.Struct, frozen=True):
    """All versions, the newest first, and all changes of champion."""

    versions: list[ModelVersion]
    changes: list[ChampionChange]


class RegistryReader:
    """Asks the registry with `read`, which may take seconds, outside of the event loop."""

    def __init__(self, read: Callable[[], Registered]) -> None:
        self._read = read
        self._reading: asyncio.Task[Registered] | None = None
        self._kept: Registered | None = None
        self._due = 0.0

    async def get(self) -> Registered | None:
        """What the registry says, or said minutes ago; None if it has not answered yet.

        Raises ModelError if it cannot be read.
        """
        if self._reading is None and monotonic() > self._due:
            self._reading = asyncio.create_task(asyncio.to_thread(self._read))
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_PATIENCE)
            if self._reading.done():
                done, self._reading, self._due = self._reading, None, monotonic() + _KEPT
                self._kept = done.result()
        return self._kept
