"""The scoring service beside its peers: same host, one process each, same connections.

    make bench-serve ARGS="[--seconds N] [--rounds N] [--connections N] [--no-memory] [--json]"

Like for like, a row of features in and the answers out: a bare ASGI endpoint on the same server
(the ceiling), this service's /v1/score/features, `mlflow models serve`, BentoML and MLServer
with the same model, and the blueprint's Flask with a torch autoencoder. Then what only this
service does: raw pull requests of about ten files in turn, without and with reasons; batches of
10 and of 1,000 real pull requests; the start; the memory of a worker with 50 repositories'
histories (serve_memory.py). Rounds alternate; each figure is the median of its rounds. Memory and
processor time are those of the process and its children; where others use the machine too,
processor time for a request is the steadier figure. Needs the program `wrk`. Exit code 1 where a
figure misses its limit.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from pullrisk.features.history import COMPILED
from serve_load import Measured, Target, median, wrk
from serve_memory import MOST_MB, Memory, described
from serve_memory import measure as measure_memory
from serve_peers import ROW, start_peers
from support.sample import sample_objects
from support.serving import Served, make_home, served

STORED: Final = 1_500
FILES: Final = range(9, 12)
LIKE_FOR_LIKE: Final = "features in"
RAW, REASONS, BARE = "raw pull", "raw pull, reasons", "bare ASGI"
LEAST: Final = {
    "mlflow models serve": 6.0,
    "Flask + torch": 6.0,
    "BentoML": 6.0,
    "MLServer": 3.0,
}
"""How many times the rate of each peer ours has to be."""


class Verdict(msgspec.Struct):
    """One figure of the issue: what is asked, what was measured, whether that holds."""

    what: str
    asked: str
    measured: str
    good: bool


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("the program wrk is not installed (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        home = make_home(folder / "home", pulls=STORED)
        starts = start_times(home)
        targets = list(start(folder, home, stack))
        figures = measure(targets, folder, options)
        batches = batch_times(next(t.url for t in targets if t.name == LIKE_FOR_LIKE))
    memory = None
    if not options.no_memory:
        with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as name:
            memory = measure_memory(Path(name))
    verdicts = [*judge({one.name: one for one in figures}), *judge_rest(starts, batches, memory)]
    if memory is not None:
        print(described(memory), file=sys.stderr)
    if options.json:
        print(json.dumps(msgspec.to_builtins({"figures": figures, "verdicts": verdicts})))
    else:
        print(table(figures, verdicts))
    return int(not all(one.good for one in verdicts))


def start_times(home: Path) -> list[float]:
    """Seconds from the command until the service is ready, the files read before."""
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        service = Served(home, access_log="false", drain=0)
        try:
            service.wait()
            seconds.append(time.perf_counter() - began)
        finally:
            service.stop()
    return seconds[1:]


def start(folder: Path, home: Path, stack: ExitStack) -> Iterator[Target]:
    """Every server, one after the other, all of them then idle."""
    ours = stack.enter_context(served(home, access_log="false"))
    raw = [json.dumps(pull) for pull in opened() if len(pull["files"]) in FILES]
    pid = ours.process.pid
    yield Target(LIKE_FOR_LIKE, f"{ours.url}/v1/score/features", [json.dumps(ROW)], pid)
    yield Target(RAW, f"{ours.url}/v1/score?explain=false", raw, pid)
    yield Target(REASONS, f"{ours.url}/v1/score", raw, pid)
    yield from start_peers(folder, stack)


@cache
def opened() -> list[dict[str, Any]]:
    """Real pull requests as they were while they were open, later than those of the lake."""
    pulls = sample_objects()[STORED:]
    return [
        pull | {"merged_at": None, "closed_at": None, "number": 10**6 + place}
        for place, pull in enumerate(pulls)
    ]


def measure(targets: Sequence[Target], folder: Path, options: argparse.Namespace) -> list[Measured]:
    """The median of alternating rounds, after a first one that only warms up."""
    runs: dict[str, list[Measured]] = {target.name: [] for target in targets}
    for turn in range(options.rounds + 1):
        for target in targets:
            seconds = options.seconds if turn else 1
            measured = wrk(target, folder, seconds=seconds, connections=options.connections)
            if turn:
                runs[target.name].append(measured)
    return [median(own) for own in runs.values()]


def batch_times(url: str) -> tuple[float, float]:
    """Median seconds of batches of 10 and of 1,000 real pulls of any size, without reasons."""
    ask = url.replace("/features", "?explain=false")
    pulls = cycle(json.dumps(pull) for pull in opened())
    times: dict[int, list[float]] = {10: [], 1000: []}
    headers = {"content-type": "application/json"}
    with httpx.Client(timeout=60) as client:
        for size in [1000, 10, 10, 10] * 8:
            body = f"[{','.join(islice(pulls, size))}]"
            began = time.perf_counter()
            client.post(ask, content=body, headers=headers).raise_for_status()
            times[size].append(time.perf_counter() - began)
    return statistics.median(times[10]), statistics.median(times[1000])


def judge(by_name: dict[str, Measured]) -> list[Verdict]:
    """The limits on rates."""
    own = by_name[LIKE_FOR_LIKE]
    present = [by_name[name] for name in LEAST if name in by_name]
    lowest = min(peer.p99 for peer in present)

    def times(what: str, figure: float, least: float) -> Verdict:
        return Verdict(what, f">= {least:g}", f"{figure:.2f}", figure >= least)

    return [
        *(times(f"times {peer.name}", own.rate / peer.rate, LEAST[peer.name]) for peer in present),
        Verdict("p99 beside the best peer's", f"< {lowest:.1f} ms", f"{own.p99:.1f} ms",
                own.p99 < lowest),
        times("share of bare ASGI", own.rate / by_name[BARE].rate, 0.15),
        times("raw pull / features in", by_name[RAW].rate / own.rate, 0.3),
        times("with reasons / features in", by_name[REASONS].rate / own.rate, 0.2),
    ]  # fmt: skip


def judge_rest(
    starts: Sequence[float], batches: tuple[float, float], memory: Memory | None
) -> list[Verdict]:
    """The limits on batches, the start and memory."""
    ratio, slowest = batches[1] / batches[0], max(starts)
    told = f"{ratio:.1f} ({1000 * batches[1]:.0f} / {1000 * batches[0]:.1f} ms)"
    verdicts = [
        Verdict("1,000 pulls / 10 pulls", "<= 15", told, ratio <= 15),
        Verdict("start to ready, slowest of 3", "<= 2 s", f"{slowest:.2f} s", slowest <= 2),
    ]
    if memory is not None:
        good = memory.cached <= MOST_MB
        told = f"{memory.cached:.0f} MB"
        verdicts.append(Verdict("a worker, 50 repositories", f"<= {MOST_MB} MB", told, good))
    return verdicts


def table(figures: Sequence[Measured], verdicts: Sequence[Verdict]) -> str:
    """The figures, a line for each target and for each limit."""
    fold = "compiled, as in the wheel" if COMPILED else "NOT compiled: use `make bench-serve`"
    lines = [f"fold: {fold}", ""]
    lines.append(f"{'':24}{'requests/s':>11}{'CPU µs':>8}{'p50 ms':>8}{'p99 ms':>8}{'MB':>7}")
    lines += [
        f"{one.name:24}{one.rate:11,.0f}{one.cpu:8,.0f}"
        f"{one.p50:8.2f}{one.p99:8.2f}{one.memory:7.0f}"
        for one in figures
    ]
    lines += ["", f"{'':32}{'asked':>12}{'measured':>26}"]
    lines += [
        f"{one.what:32}{one.asked:>12}{one.measured:>26}  {'ok' if one.good else 'MISSED'}"
        for one in verdicts
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
