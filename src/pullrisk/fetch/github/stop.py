"""Ctrl-C and SIGTERM end asynchronous work in order: what is being written is written first."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; KeyboardInterrupt after Ctrl-C or SIGTERM, once all tasks have ended."""
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        return asyncio.run(_stoppable(work))
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def _stoppable(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
