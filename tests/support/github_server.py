"""The fake GitHub in a process of its own, on a real socket."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from support.forked import GITHUB, ForkedProcess, ForkedServer, fork_server
from support.kills import run_killed
from support.processes import mortal

TESTS = Path(__file__).parents[1]

DRIVER = """
import sys
from pathlib import Path
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.fetch import Request, fetch_github
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
import stamina.instrumentation
stamina.instrumentation.set_on_retry_hooks(())
url, path, pace, *names = sys.argv[1:]
access = Access(url=url, tokens=("fake-token",), pace=float(pace))
count_calls()
with SqliteStore(Path(path)) as store:
    request = Request(repositories=tuple(names))
    report = fetch_github(request, store, access=access, progress=Silent())
print_calls()
assert not report.failed, report.failed
"""
"""A fetch as a program of its own, to be killed."""


class GitHubServer:
    """Started with the options of `python -m fake_github`; ends with the context."""

    def __init__(self, *options: str) -> None:
        read, write = os.pipe()
        try:
            self._process = self._start(options, write)
        finally:
            os.close(write)
        with os.fdopen(read) as stdout:
            line = stdout.readline()
        self.url = line.partition("=")[2].partition(" ")[0]
        self.pid = self._process.pid

    @staticmethod
    def _start(options: Sequence[str], stdout: int) -> "ForkedProcess | subprocess.Popen[bytes]":
        environment = os.environ | {"PYTHONPATH": str(TESTS)}
        if not ForkedServer.forks:
            command = mortal([sys.executable, "-m", "fake_github", *options])
            return subprocess.Popen(command, env=environment, stdout=stdout)
        target, streams = "fake_github.__main__:main", (0, stdout, 2)
        return fork_server().start(
            options, env=environment, streams=streams, target=target, preload=GITHUB
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it may be in the middle of a long delay
        self._process.wait()

    def counts(self) -> dict[str, Any]:
        """What was asked of it so far."""
        with urllib.request.urlopen(f"{self.url}/_fake/counts") as answer:
            counts: dict[str, Any] = json.load(answer)
            return counts

    def fetch(self, store: Path, *names: str, after: int = 0) -> int | None:
        """Fetch into the store, and kill the fetch at its `after`-th call; see `run_killed`."""
        return run_killed(DRIVER, self.url, store, 0.01, *names, after=after)
