"""Programs that tests start: waited for by a condition, ended with the test, dead with pytest."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from httpx import TransportError

if TYPE_CHECKING:
    from support.forked import ForkedProcess

PATIENCE: Final = 180.0
"""Seconds until a test gives up waiting: far more than is needed while other programs keep every
core busy, for a wait ends as soon as its condition holds. MLflow's server takes longest until it
listens: 9 s of a core, more than two minutes of one of two cores with a load of 30."""
PULLRISK: Final = (sys.executable, "-m", "pullrisk")
"""The program of this environment, as a process of its own."""
OF_GO: Final = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Variables of programs written in Go (kubectl, bao, weed): one thread, which collects seldom, is a
third less work where others want the cores."""
_SETPRIV: Final = shutil.which("setpriv")


def until(
    holds: Callable[[], object], *, seconds: float = PATIENCE, explain: Callable[[], object] = str
) -> None:
    """Wait for what another thread or process brings about.

    An `OSError` or a `TransportError` of httpx means not yet. Raises AssertionError after
    `seconds`, with what `explain` returns.
    """
    begun = time.monotonic()
    while not _holds(holds):
        waited = time.monotonic() - begun
        assert waited < seconds, f"did not come about within {seconds} s: {explain()}"
        time.sleep(min(0.2, 0.02 + waited / 25))  # who waits long looks less often


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except (OSError, TransportError):
        return False


def mortal(command: Sequence[str | Path]) -> list[str]:
    """The command, made to end with the process that starts it, even where that is killed.

    Linux ends it with the thread that starts it, so only the main one may ask for that.
    """
    main = threading.current_thread() is threading.main_thread()
    prefix = [_SETPRIV, "--pdeathsig", "KILL", "--"] if _SETPRIV and main else []
    return [*prefix, *map(str, command)]


class Server:
    """A program that listens, which can be ended and started again on what it had.

    It belongs to the scope of the fixture that makes it, however often a test restarts it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: ForkedProcess | subprocess.Popen[bytes] | None = None
        self._outlives_tests = scope.wide
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "output").read_text(errors="replace")

    def command(self) -> Sequence[str | Path]:
        """How it is started."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Its variables."""
        return os.environ

    def is_ready(self) -> object:
        """Whether it answers; an `OSError` means not yet."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start it, on the data it had, and wait until it answers.

        Raises AssertionError with its log where it ends or is not ready in time.
        """
        with (self.folder / "output").open("ab") as output:
            self.process = process = self.launch(output)
        if self._outlives_tests:
            scope.outliving.add(process.pid)

        def ready() -> object:
            assert process.poll() is None, f"it ended with {process.returncode}"
            return self.is_ready()

        try:
            until(ready, explain=lambda: "not ready")
        except BaseException as error:
            self.kill()
            error.add_note(f"{type(self).__name__}:\n{self.log[-3000:]}")
            raise
        return self

    def launch(self, output: IO[bytes]) -> "ForkedProcess | subprocess.Popen[bytes]":
        """Start it, writing there."""
        return subprocess.Popen(
            mortal(self.command()), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=dict(self.environment()), cwd=self.folder, start_new_session=True,
        )  # fmt: skip

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and all that it started; what is left of it after `PATIENCE` is killed."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            process.send_signal(number)
            process.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """End it at once, as a crash of the machine would."""
        self.stop(signal.SIGKILL)


class _Scope:
    """Whether a fixture of a wider scope than a test is being made, and what such ones started."""

    def __init__(self) -> None:
        self.wide = False
        self.outliving: set[int] = set()
        self.forking: set[int] = set()
        """Servers whose children count as those of this process."""


scope: Final = _Scope()
