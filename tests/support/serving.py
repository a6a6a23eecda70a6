"""A served home folder: real processes on free ports, with the general model and a small lake."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar

import httpx

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.rest import rest_object_of
from pullrisk.pulls.sqlite import SqliteStore
from support.forked import SERVING, ForkedProcess, fork_server
from support.ports import free_port
from support.processes import PATIENCE, PULLRISK, mortal, until
from support.sample import sample_pulls

ROOT = Path(__file__).parents[2]
GENERAL = ROOT / "src" / "pullrisk" / "model" / "general.onnx"
STORED = 120


def make_home(home: Path, *, pulls: int = STORED) -> Path:
    """A store and a lake of kedro's first pull requests; no model of its own."""
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert(sample_pulls(pulls))
        preprocess(store, Lake(home / "lake"))
    return home


def opened(place: int = STORED + 1, **changes: object) -> dict[str, Any]:
    """A real pull request as GitHub would describe it while it is open."""
    pull = rest_object_of(sample_pulls(place + 1)[place])
    return pull | {"merged_at": None, "closed_at": None, "state": "open"} | changes


def score(url: str, **headers: str) -> httpx.Response:
    """Ask about one open pull request."""
    return httpx.post(f"{url}/v1/score", json=opened(), headers=headers, timeout=60)


class Served:
    """One `pullrisk serve` and its address.

    Where `forks` is set, as tests do, it is forked; not with `workers` among the settings, which
    are read when libraries are imported.
    """

    forks: ClassVar[bool] = False

    def __init__(
        self,
        home: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        **settings: Any,
    ) -> None:
        self.port, self.home, self.settings = port or free_port(), home, settings
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.parent / f"serve-{self.port}.log"
        inherited = {
            name: text for name, text in os.environ.items() if not name.startswith("PULLRISK_")
        }
        own = {f"PULLRISK_SERVE__{name.upper()}": str(value) for name, value in settings.items()}
        variables = inherited | {"PULLRISK_HOME": str(home)} | own | dict(environment or {})
        read, write = os.pipe()
        self._stderr = os.fdopen(read, "rb")
        start = self._fork if self.forks and "workers" not in settings else self._start
        with self.log.open("wb") as log, os.fdopen(write, "wb") as stderr:
            arguments = ["serve", "--port", str(self.port), *options]
            self.process = start(arguments, variables, log, stderr)

    @staticmethod
    def _fork(
        arguments: list[str], variables: dict[str, str], log: IO[bytes], stderr: IO[bytes]
    ) -> "ForkedProcess | subprocess.Popen[bytes]":
        with Path(os.devnull).open() as nothing:
            streams = [each.fileno() for each in (nothing, log, stderr)]
            return fork_server().start(arguments, env=variables, streams=streams, preload=SERVING)

    @staticmethod
    def _start(
        arguments: list[str], variables: dict[str, str], log: IO[bytes], stderr: IO[bytes]
    ) -> "ForkedProcess | subprocess.Popen[bytes]":
        command = mortal([*PULLRISK, *arguments])
        return subprocess.Popen(command, env=variables, stdout=log, stderr=stderr)

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def wait(self, seconds: float = PATIENCE) -> "Served":
        """Until it is ready."""
        until(self._is_ready, seconds=seconds)
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"serve ended: {self.errors()}"
        return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200

    def errors(self) -> str:
        """What it wrote to standard error, once it has ended."""
        return self._stderr.read().decode()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log with this event."""
        whole = self.log.read_bytes().split(b"\n")[:-1]  # the last line may be half written
        lines = [json.loads(line) for line in whole]
        return [line for line in lines if line["event"] == name]

    def until(self, name: str, count: int = 1, seconds: float = PATIENCE) -> None:
        """Until the log has so many lines of an event."""
        until(
            lambda: len(self.events(name)) >= count,
            seconds=seconds,
            explain=lambda: f"{count} lines of {name!r} in {self.log.read_text()}",
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code. Its workers end with it, however it ends."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"serve did not stop: {self.log.read_text()[-2000:]}") from None
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._stderr.close()


@contextmanager
def served(
    home: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """A ready service, stopped at the end. It is as patient as tests are, and its lake and store
    have a minute to answer."""
    patient = {"drain": 0, "body_timeout": PATIENCE, "reach": 60, "timeout": PATIENCE, **settings}
    with Served(home, *options, environment=environment, **patient) as service:
        yield service.wait()
