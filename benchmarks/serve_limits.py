"""What the service takes: hostile bodies of 32 MB, idle connections, and fuzzers for some minutes.

    make drill-limits ARGS="[--minutes N] [--seed N] [--only bodies|fuzz] [--json]"

Each body is sent to a service as it ships while its probes are asked all the time, and beside each
probe a server that does nothing else, which shows what the machine costs: the service has to stay
below 512 MB, answer no 5xx, and its probes within 100 ms (at the 99th of a hundred, beyond what the
other server takes). The same with 1,024 idle connections. Then the fuzzers of limits_fuzz.py take
turns at two services that live on, for all of the minutes: no 5xx, no defect in the logs, and
memory at the end within 5 % of what it was after a third.
Exit code 1 where one of these is not so.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import create_connection
from threading import Event, Thread
from typing import Final

import httpx
import msgspec
import psutil

from limits_bodies import Body, bodies
from limits_fuzz import Rig, Slice, Tally, rig
from support.app import app_environment, private_key
from support.ports import free_port
from support.processes import mortal, until
from support.serving import Served, make_home, served

MOST_MB: Final = 512
MOST_MS: Final = 100
FLAT: Final = 1.05
IDLE: Final = 1_024
SLICE: Final = 20.0
"""Seconds that a fuzzer has at a time."""
REFERENCE: Final = """
import asyncio, contextlib, sys
async def answer(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
    writer.close()
async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""
HEAD: Final = (
    f"{'':24}{'answered':>9}{'s':>7}{'probe p50':>11}{'p99':>6}{'max':>6}"
    f"{'idle server p50':>17}{'p99':>6}{'max':>6}{'MB':>6}{'load':>6}"
)


class Times(msgspec.Struct):
    """Milliseconds: the median, the 99th of a hundred, the longest."""

    p50: float
    p99: float
    longest: float


class Figure(msgspec.Struct):
    """One attempt: what was answered, how slow probes and the idle server were, and the memory."""

    what: str
    answered: str
    seconds: float
    probe: Times
    idle: Times
    peak_mb: float
    load: float
    good: bool


def main() -> int:
    """Try everything, tell each attempt, and say by the exit code whether all of it is good."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="of all fuzzers together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=("bodies", "fuzz"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: list[Figure] = []
    good = True
    with tempfile.TemporaryDirectory(prefix="pullrisk-limits-") as name:
        folder = Path(name)
        if options.only != "fuzz":
            print(HEAD, file=sys.stderr)
            for each in try_bodies(make_home(folder / "home")):
                figures.append(each)
                print(line(each), file=sys.stderr, flush=True)
        if options.only != "bodies":
            good = fuzz(folder, 60 * options.minutes, options.seed)
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures)))
    return int(not (good and all(each.good for each in figures)))


def try_bodies(home: Path) -> Iterator[Figure]:
    """Every body, one after the other, and the idle connections."""
    environment = app_environment("http://127.0.0.1:9", private_key())
    settings = {"access_log": "false", "probe_port": free_port()}
    with served(home, environment=environment, **settings) as service, idle_server() as idle:
        for body in bodies():
            yield try_body(service, idle, body)
        yield try_idle(service, idle)


def try_body(service: Served, idle: str, body: Body) -> Figure:
    """One body."""
    content = body.make()
    with watching(service, idle) as figure:
        answered = httpx.post(
            f"{service.url}{body.path}", content=content, headers=body.headers(content), timeout=120
        )
    return figure(body.what, str(answered.status_code), answered.status_code < 500)


def try_idle(service: Served, idle: str) -> Figure:
    """Idle connections of one address, many more than one may have."""
    with ExitStack() as stack, watching(service, idle) as figure:
        for _ in range(IDLE):
            with suppress(OSError):
                stack.enter_context(create_connection(("127.0.0.1", service.port), timeout=10))
        status = httpx.get(f"{service.url}/v1/model", timeout=60).status_code
    return figure(f"{IDLE:,} idle connections", str(status), status == 200)


@contextmanager
def idle_server() -> Iterator[str]:
    """The address of a process that answers at once, and does nothing else."""
    port = free_port()
    with subprocess.Popen(mortal([sys.executable, "-c", REFERENCE, str(port)])) as process:
        try:
            until(lambda: httpx.get(f"http://127.0.0.1:{port}/").status_code == 200)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@contextmanager
def watching(service: Served, idle: str) -> Iterator[Callable[[str, str, bool], Figure]]:
    """Ask the probes and the idle server meanwhile; what is yielded makes the figure."""
    stop, probes, idles = Event(), [0.0], [0.0]
    worker = worker_of(service)
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # from here on, its peak is counted
    probe = f"http://127.0.0.1:{service.settings['probe_port']}/healthz"

    def watch() -> None:
        with httpx.Client(timeout=60) as client:
            while not stop.wait(0.005):
                for url, times in ((probe, probes), (idle, idles)):
                    began = time.perf_counter()
                    client.get(url)
                    times.append(1000 * (time.perf_counter() - began))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    began = time.perf_counter()

    def figure(what: str, answered: str, good: bool) -> Figure:
        both, peak = (times_of(probes), times_of(idles)), peak_mb(worker)
        good = good and both[0].p99 - both[1].p99 <= MOST_MS and peak <= MOST_MB
        return Figure(what, answered, seconds, *both, peak, psutil.getloadavg()[0], good)

    try:
        yield figure
    finally:
        seconds = time.perf_counter() - began
        stop.set()
        thread.join()


def times_of(milliseconds: list[float]) -> Times:
    """The figures of many; the first of each connection is none."""
    order = sorted(milliseconds[2:] or milliseconds)
    return Times(statistics.median(order), order[int(0.99 * (len(order) - 1))], order[-1])


def worker_of(service: Served) -> psutil.Process:
    """The largest process of a service."""
    workers = psutil.Process(service.process.pid).children()
    return max(workers, key=lambda each: each.memory_info().rss)


def peak_mb(process: psutil.Process) -> float:
    """The most memory that it had since its peak was cleared."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (peak,) = (each.split()[1] for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


def line(each: Figure) -> str:
    """One attempt in the table."""
    probe, idle = each.probe, each.idle
    return (
        f"{each.what:24}{each.answered:>9}{each.seconds:7.1f}"
        f"{probe.p50:11.1f}{probe.p99:6.0f}{probe.longest:6.0f}"
        f"{idle.p50:17.1f}{idle.p99:6.0f}{idle.longest:6.0f}"
        f"{each.peak_mb:6.0f}{each.load:6.1f}  {'ok' if each.good else 'MISSED'}"
    )


def fuzz(folder: Path, seconds: float, seed: int) -> bool:
    """All fuzzers in turns, for so long; returns whether nothing was found."""
    print(f"fuzzers for {seconds / 60:g} minutes, seed {seed}", file=sys.stderr)
    homes = [make_home(folder / name / "home") for name in ("keyed", "keyless")]
    with rig(homes, seed) as services:
        fuzzers = dict(services.fuzzers(folder))
        tallies = {name: Tally() for name in fuzzers}
        memory, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            for name, run in fuzzers.items():
                seed += 1_000
                take_turn(services, tallies[name], run, seed)
            memory.append(megabytes(services))
            print(round_line(tallies, memory[-1], end), file=sys.stderr, flush=True)
    for name, tally in tallies.items():
        print(tally_line(name, tally), file=sys.stderr)
    flat = all(is_flat([each[place] for each in memory]) for place in (0, 1))
    print(f"memory {'flat' if flat else 'NOT flat'}", file=sys.stderr)
    return flat and not any(tally.defects for tally in tallies.values())


def take_turn(services: Rig, tally: Tally, run: Slice, seed: int) -> None:
    """One slice; new defects are told at once."""
    known, began = len(tally.defects), time.monotonic()
    run(tally, SLICE, seed)
    tally.seconds += time.monotonic() - began
    tally.defects += services.logged_defects()
    for defect in tally.defects[known:]:
        print(f"DEFECT {defect}", file=sys.stderr, flush=True)


def megabytes(services: Rig) -> tuple[float, float]:
    """Memory of both services' workers."""
    keyed, keyless = (worker_of(each) for each in (services.keyed, services.keyless))
    return keyed.memory_info().rss / 1e6, keyless.memory_info().rss / 1e6


def is_flat(memory: list[float]) -> bool:
    """Whether the end is hardly above what was used after a third of the time."""
    return memory[-1] <= FLAT * max(memory[: len(memory) // 3 + 1])


def round_line(tallies: dict[str, Tally], memory: tuple[float, float], end: float) -> str:
    """How far it is."""
    count = sum(each.statuses.total() for each in tallies.values())
    defects = sum(len(each.defects) for each in tallies.values())
    left = max(0.0, end - time.monotonic()) / 60
    return (
        f"{left:5.1f} minutes left: {count:,} answers, {defects} defects, "
        f"{memory[0]:.1f} MB with keys, {memory[1]:.1f} MB without"
    )


def tally_line(name: str, tally: Tally) -> str:
    """One fuzzer in the table; schemathesis' runs count as status 0."""
    counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.statuses.items()))
    return f"{name:20}{tally.seconds:7.0f} s  {len(tally.defects)} defects  {counts}"


if __name__ == "__main__":
    sys.exit(main())
