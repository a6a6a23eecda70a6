"""Work beside requests goes on whatever happens to it."""

import asyncio
import io
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from pullrisk.options import ServeOptions
from pullrisk.serve.background import in_background, lasting
from pullrisk.serve.inflight import ActiveRequest, InFlight
from pullrisk.serve.logs import LineBuffer, logger
from support.processes import PATIENCE


def test_what_a_defect_ends_is_logged_and_begun_anew() -> None:
    file, begun = io.BytesIO(), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise RuntimeError("mutated during iteration")

    asyncio.run(lasting("lake", work, logger(LineBuffer(file)), pause=0))
    told = [json.loads(line) for line in file.getvalue().splitlines()]
    assert begun == 3
    assert [(line["event"], line["work"]) for line in told] == [("defect", "lake")] * 2
    assert "mutated during iteration" in told[0]["traceback"]


def test_work_in_the_background_has_ended_with_the_block() -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    async def block() -> None:
        async with in_background("nothing", work, logger(LineBuffer(io.BytesIO()))):
            await asyncio.sleep(0)

    asyncio.run(block())
    assert ended


def test_overdue_requests_are_given_up_while_every_thread_is_busy() -> None:
    scope: dict[str, Any] = {"method": "GET", "path": "/", "client": ("", 0), "headers": []}
    in_flight, go_on = InFlight(ServeOptions(timeout=0.01)), Event()

    async def answer() -> None:
        in_flight.enter(ActiveRequest(scope))
        await asyncio.Event().wait()

    async def watched() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, go_on.wait)
        large = ActiveRequest(scope)
        in_flight.reserve(large, 5_000_000)
        in_flight.leave(large)
        watching = asyncio.create_task(in_flight.watch())
        try:
            await asyncio.wait_for(answer(), PATIENCE)
        finally:
            watching.cancel()
            go_on.set()
            await busy

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watched())
