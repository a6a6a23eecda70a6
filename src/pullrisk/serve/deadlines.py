"""Requests that take too long: found by a look at all of them, a few times a second.

A timer for each request would cost a tenth of what answering costs.
"""

import asyncio
from time import monotonic
from typing import Final

from pullrisk.serve.http import Request

_EVERY: Final = 0.1


class Deadlines:
    """The requests under way; `watch` cancels those whose time is over."""

    def __init__(self) -> None:
        self.running: set[Request] = set()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            now = monotonic()
            for request in tuple(self.running):
                if now > request.expires and request.task is not None and not request.overdue:
                    request.overdue = True
                    request.task.cancel()
