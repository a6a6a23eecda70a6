"""Random order that repeats: by the seed, or exactly, by what each process ran: a plugin."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

ORDERS: Final = Path(__file__).parents[2] / ".pytest_cache" / "orders"
"""One file for each process of the last run: its tests in the order in which it ran them."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin anew; the workers of xdist begin after the process that starts them."""
    ORDERS.mkdir(parents=True, exist_ok=True)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for path in ORDERS.iterdir():
            path.unlink()
    if not session.config.getoption("numprocesses", None):
        session.config.pluginmanager.register(_Recorder(ORDERS / _process()))


class _Recorder:
    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._file.write(f"{nodeid}\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep each folder's tests together, in random order still: what they share is started once."""
    if _seed(config) is not None:
        folders = dict.fromkeys(item.path.parent for item in items)
        place = {folder: number for number, folder in enumerate(folders)}
        items.sort(key=lambda item: place[item.path.parent])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where something failed: what repeats it."""
    write: Callable[[str], None] = terminalreporter.write_line
    if not terminalreporter.stats.keys() & {"failed", "error"}:
        return
    if (seed := _seed(terminalreporter.config)) is not None:
        workers = getattr(terminalreporter.config.option, "numprocesses", None) or 0
        write(f"once more: make test PYTEST_WORKERS={workers} ARGS=--randomly-seed={seed}")
    folder = ORDERS.relative_to(Path.cwd()) if ORDERS.is_relative_to(Path.cwd()) else ORDERS
    for path in sorted(ORDERS.iterdir()):
        write(f"the order of {path.name} exactly: pytest -p no:randomly @{folder / path.name}")


def _seed(config: pytest.Config) -> int | None:
    return getattr(config.option, "randomly_seed", None)


def _process() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
