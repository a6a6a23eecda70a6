"""Work that goes on beside the service, in its event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

Work: TypeAlias = Callable[[], Awaitable[None]]
_PAUSE: Final = 1.0


async def lasting(name: str, work: Work, log: Any, *, pause: float = _PAUSE) -> None:  # noqa: ANN401
    """Do `work` until it returns; what a defect ends is logged, and begun anew after a pause."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("defect", work=name)
            await asyncio.sleep(pause)
        else:
            return


@asynccontextmanager
async def in_background(name: str, work: Work, log: Any) -> AsyncIterator[None]:  # noqa: ANN401
    """Do `work`, lasting, for as long as this lasts; at the end it is cancelled, and has ended."""
    task = asyncio.create_task(lasting(name, work, log))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
