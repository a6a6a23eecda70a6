"""A job in a process of its own: its time, its processor time, and its peak of memory."""

import resource
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

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
        return self._peak / 1024

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            self._peak = max(self._peak, sum(map(_kilobytes, _family(self._pid))))


def _family(pid: int) -> list[int]:
    found, waiting = list[int](), [pid]
    while waiting:
        found.append(waiting.pop())
        for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                waiting += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(each.split()[1]) for each in lines if each.startswith("Pss:"))
