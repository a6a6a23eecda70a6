import asyncio
import io
import json
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from pullrisk.serve.logs import Forwarded, LineBuffer, logger
from support.serving import Served, served


def line(file: io.BytesIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.getvalue())
    return found


def test_a_defect_is_logged_with_its_traceback_and_no_password() -> None:
    file = io.BytesIO()
    try:
        raise ValueError("cannot read mongodb://ann:hu/sh@h/db")
    except ValueError:
        logger(LineBuffer(file)).exception("defect", request_id="a-1")
    told = line(file)
    assert told["request_id"] == "a-1"
    assert told["level"] == "error"
    assert "test_a_defect_is_logged" in told["traceback"]
    assert "ValueError: cannot read mongodb://***@h/db" in told["traceback"]
    assert "hu/sh" not in file.getvalue().decode()


def test_what_an_event_says_is_masked_by_value_and_by_name() -> None:
    file = io.BytesIO()
    logger(LineBuffer(file)).warning("store away", why="mongodb://ann:hush@h/db", api_key="k-1")
    told = line(file)
    assert told["why"] == "mongodb://***@h/db"
    assert told["api_key"] == "***"
    assert told["event"] == "store away"


def test_the_line_of_a_request_stays_as_it_is() -> None:
    file = io.BytesIO()
    logger(LineBuffer(file)).info("request", path="/v1/score", status=200)
    assert line(file)["path"] == "/v1/score"


def test_what_other_rooms_log_becomes_a_line_too() -> None:
    file = io.BytesIO()
    record = logging.LogRecord("pullrisk.secrets", logging.WARNING, "", 0, "stale", None, None)
    Forwarded(logger(LineBuffer(file))).handle(record)
    told = line(file)
    assert (told["event"], told["logger"], told["level"]) == (
        "stale",
        "pullrisk.secrets",
        "warning",
    )


def test_what_another_room_tells_of_an_error_comes_with_its_traceback() -> None:
    file = io.BytesIO()
    try:
        raise ValueError("cannot read mongodb://ann:hu/sh@h/db")
    except ValueError as error:
        failed = (type(error), error, error.__traceback__)
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "failed", None, failed)
    Forwarded(logger(LineBuffer(file))).handle(record)
    assert "ValueError: cannot read mongodb://***@h/db" in line(file)["traceback"]


class Loop(asyncio.SelectorEventLoop):
    """An event loop that keeps what it was told to do later."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_later(self, *arguments: Any, **context: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self.timers.append(super().call_later(*arguments, **context))
        return self.timers[-1]


def test_other_threads_leave_the_timer_of_the_event_loop_alone() -> None:
    buffer = LineBuffer(io.BytesIO())

    async def write_in_two_threads() -> list[bool]:
        buffer.write(b'{"level":"info"}\n')
        await asyncio.to_thread(buffer.write, b'{"level":"error"}\n')
        return [timer.cancelled() for timer in loop.timers]

    with closing(Loop()) as loop:
        assert loop.run_until_complete(write_in_two_threads()) == [False]


def test_what_was_logged_last_is_written_before_the_service_ends(home: Path) -> None:
    with served(home) as one:
        for number in range(20):
            httpx.get(f"{one.url}/no-{number}")
    assert [line["path"] for line in one.events("request")][-1] == "/no-19"


def test_a_service_that_cannot_start_says_so_in_json_alone_where_that_is_set(
    home: Path,
) -> None:
    environment = {"PULLRISK_LOG_FORMAT": "json"}
    with Served(home, "--model", "nowhere.onnx", environment=environment) as one:
        assert one.process.wait(timeout=60) == 7
        assert one.errors() == ""
        (told,) = one.events("not started")
        assert "nowhere.onnx cannot be read" in told["error"]
