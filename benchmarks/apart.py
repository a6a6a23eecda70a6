"""A job in a process of its own: its time, its processor time, and its peak of memory."""

import resource
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import psutil

from support.watch import family

Job = Callable[[Path, Path], float]
"""Reads one path, writes another, and returns the seconds that it took to get ready."""


class Cost(msgspec.Struct):
    """Seconds by the clock, seconds of processors, and MB at the peak, of all processes."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_apart(job: Job, source: Path, target: Path) -> tuple[Cost, float]:
    """Run a job in a fresh process; what it cost, and what it returned."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(job, source, target, theirs))
    process.start()
    theirs.close()
    peak = _Peak(process.pid or 0)
    try:
        seconds, cpu_seconds, ready = ours.recv()
    finally:
        process.join()
        peak_mb = peak.stop()
    return Cost(seconds, cpu_seconds, peak_mb), ready


def _run(job: Job, source: Path, target: Path, connection: Connection) -> None:
    started = time.perf_counter()
    ready = job(source, target)
    seconds = time.perf_counter() - started
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    connection.send((seconds, sum(each.ru_utime + each.ru_stime for each in used), ready))


class _Peak:
    """Watches the memory of a process and all its children (what they share is shared out)."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._done = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """The peak in MB."""
        self._done.set()
        self._thread.join()
        return self._peak / 2**20

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            self._peak = max(self._peak, sum(map(_bytes, family(self._pid))))


def _bytes(pid: int) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_full_info().pss)
    return 0
