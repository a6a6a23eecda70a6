"""Work beside requests goes on whatever happens to it."""

import asyncio
import io
import json

from pullrisk.serve.background import in_background, lasting
from pullrisk.serve.logs import LineBuffer, logger


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
