"""Kills, Ctrl-C and SIGTERM, against a server on a real socket that misbehaves."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pullrisk.pulls.record import encode
from pullrisk.pulls.sqlite import SqliteStore
from support.github_server import GitHubServer
from support.processes import PATIENCE, until

KEDRO = "kedro-org/kedro"
PULLS = int(os.environ.get("PULLRISK_TEST_KILL_PULLS", "600"))
KILLS = int(os.environ.get("PULLRISK_TEST_KILLS", "6"))
SOURCE = "rust-lang/cargo" if PULLS > 2_000 else KEDRO
RATES = {
    "502": 0.02, "503": 0.02, "504": 0.02, "timeout": 0.02, "garbage": 0.02, "cut": 0.04,
    "slow": 0.05, "secondary": 0.01, "secondary-bare": 0.01, "429": 0.01, "partial": 0.02,
}  # fmt: skip
UNLIMITED = """
import sys
from pullrisk.cli import main
from pullrisk.fetch.github import client

client._TIMEOUT = None
sys.exit(main())
"""
"""The command, which waits for an answer for ever: only a signal can end it."""


@pytest.fixture(scope="module")
def faulty() -> Iterator[GitHubServer]:
    rates = [f"--fault={kind}={rate}" for kind, rate in RATES.items()]
    options = ["--slow=0.05", "--too-large-above=40", "--points=1000000", "--delay=0.01"]
    with GitHubServer(f"--repository={SOURCE}", f"--pulls={PULLS}", *options, *rates) as server:
        yield server


def content(path: Path) -> tuple[list[bytes], dict[str, object]]:
    """Every record byte for byte, and the checkpoint without times and sizes of pages."""
    with SqliteStore(path) as store:
        records = [encode(pull) for pull in store.recent(limit=10**6)]
        (key,) = _checkpoints(path)
        saved = store.checkpoint(key) or {}
    return records, {k: saved.get(k) for k in ("phase", "done", "newest", "name", "cursor")}


def _checkpoints(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT key FROM checkpoints WHERE key LIKE '%:1000'")
        return [key for (key,) in rows]


def test_kills_at_random_moments_end_as_if_undisturbed(
    faulty: GitHubServer, tmp_path: Path
) -> None:
    with GitHubServer(f"--repository={SOURCE}", f"--pulls={PULLS}", "--points=99999") as calm:
        calls = calm.fetch(tmp_path / "calm.sqlite", SOURCE)
    assert calls
    killed, kills, moment = tmp_path / "killed.sqlite", 0, random.Random(5)
    while kills < KILLS:
        after = moment.randrange(1, max(3 * calls // KILLS, calls // 10))
        if faulty.fetch(killed, SOURCE, after=after) is None:
            kills += 1
        else:
            killed.unlink()  # it ended before the kill: once more from the beginning
    assert faulty.fetch(killed, SOURCE)
    assert content(killed) == content(tmp_path / "calm.sqlite")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pages", [0, 5])
def test_ctrl_c_and_sigterm_stop_before_an_answer_comes_and_lose_nothing(
    tmp_path: Path, number: signal.Signals, pages: int
) -> None:
    with (
        GitHubServer(f"--repository={KEDRO}", f"--hang-after={pages}") as server,
        command(server, tmp_path, KEDRO) as process,
    ):
        until(lambda: server.counts()["by_document"].get("Pulls", 0) == pages + 1)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "run the same command again to continue" in complaint
    if pages:
        with SqliteStore(tmp_path / "pulls.sqlite") as store:
            done = len(store.recent(limit=10_000))
            assert any(
                (store.checkpoint(key) or {}).get("done") == done
                for key in _checkpoints(tmp_path / "pulls.sqlite")
            )
            assert done > 0


@contextmanager
def command(server: GitHubServer, home: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """`pullrisk fetch` against the server, without a limit of time."""
    environment = {
        **os.environ,
        "PULLRISK_HOME": str(home),
        "PULLRISK_GITHUB_URL": server.url,
        "PULLRISK_GITHUB_TOKEN": "fake-token",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", UNLIMITED, "fetch", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
