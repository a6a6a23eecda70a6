"""No page asks the store more than a few times, however much is in it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from pullrisk.pulls import sqlite_file
from pullrisk.settings import load
from pullrisk.wiring.service import make_worker
from support.dashboard import make_dashboard_home, open_numbers

MOST: Final = 5
KEDRO: Final = "kedro-org/kedro"
PAGES: Final = (
    "/",
    "/?shown=all&sort=size&path=kedro/&label=bug&text=a",
    "/live/pulls?shown=open",
    f"/pulls/{KEDRO}/{open_numbers()[0]}",
    "/repositories",
    f"/repositories/{KEDRO}",
    "/models",
    "/operations",
)


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """An ASGI application between its startup and its shutdown."""
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan", "state": {}}, told.get, heard.put))
    await told.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    yield
    await told.put({"type": "lifespan.shutdown"})
    await life


async def count_queries(app: Any, statements: list[str]) -> dict[str, int]:
    """How many queries each page makes, once everything is in memory."""

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {}}, receive, send)

    found: dict[str, int] = {}
    transport = httpx.ASGITransport(with_state, raise_app_exceptions=True)
    async with (
        running(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        for path in PAGES * 2:
            statements.clear()
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            found[path] = len([each for each in statements if each.lstrip()[:6] == "SELECT"])
    return found


# of how handlers of the API and of signing in name what they take
@pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
def test_each_page_makes_at_most_five_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    connect = sqlite_file._connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    home = make_dashboard_home(tmp_path)
    # what publishes in the background would be counted as well
    monkeypatch.setattr("pullrisk.dashboard.publishing.Publisher.run", _nothing)
    monkeypatch.setattr(sqlite_file, "_connect", traced)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "session-key").write_text("k" * 43)
    found = asyncio.run(count_queries(make_worker(load(home=home), shared), statements))
    assert {path: count for path, count in found.items() if count > MOST} == {}
    assert found["/"] > 0


async def _nothing(self: object) -> None:
    return
