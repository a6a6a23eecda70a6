"""The scoring service beside its peers: same host, one process each, same connections.

    python benchmarks/serve.py [--seconds N] [--rounds N] [--connections N] [--json]

Like for like, a row of features in and the answers out: a bare ASGI endpoint on the same server
(the ceiling), this service's /v1/score/features, `mlflow models serve`, BentoML and MLServer
with the same model, and the blueprint's Flask with a torch autoencoder. Then what only this
service does: a raw pull request of ten files, without and with reasons, and batches. Rounds
alternate; each figure is the median of its rounds. Memory and processor time are those of the
process and its children; where others use the machine too, processor time for a request is the
steadier figure. Needs the program `wrk`. Exit code 1 where a figure misses its limit.
"""

import argparse
import gzip
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from serve_peers import ROW, Target, start_peers  # noqa: E402
from support.serving import SAMPLE, make_home, served  # noqa: E402

FILES = 10
LIKE_FOR_LIKE = "features in"
LEAST: Final = {
    "mlflow models serve": 12.0,
    "Flask + torch": 12.0,
    "BentoML": 12.0,
    "MLServer": 3.5,
}
"""How many times the rate of each peer ours has to be."""


class Measured(msgspec.Struct):
    """Requests a second, µs of processor time for each, milliseconds, MB."""

    name: str
    rate: float
    cpu: float
    p50: float
    p99: float
    memory: float


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("the program wrk is not installed (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as name, ExitStack() as stack:
        targets = list(start(Path(name), stack))
        found = measure(targets, Path(name), options)
        batches = batch_times(next(t.url for t in targets if t.name == LIKE_FOR_LIKE))
    verdicts = judge({one.name: one for one in found}, batches)
    if options.json:
        print(json.dumps({"figures": msgspec.to_builtins(found), "verdicts": verdicts}))
    else:
        print(table(found, verdicts))
    return int(not all(good for _, _, good in verdicts))


def start(folder: Path, stack: ExitStack) -> Iterator[Target]:
    """Every server, one after the other, all of them then idle."""
    row = json.dumps(ROW)
    home = make_home(folder / "home", pulls=1500)
    ours = stack.enter_context(served(home, access_log="false"))
    pull, pid = raw_pull(), ours.process.pid
    yield Target(LIKE_FOR_LIKE, f"{ours.url}/v1/score/features", row, pid)
    yield Target("raw pull", f"{ours.url}/v1/score?explain=false", pull, pid)
    yield Target("raw pull, reasons", f"{ours.url}/v1/score", pull, pid)
    yield from start_peers(folder, stack)


def raw_pull() -> str:
    """A real pull request of ten files, open."""
    with gzip.open(SAMPLE) as lines:
        pulls = [json.loads(line) for line in islice(lines, 1500, 2100)]
    found = min(pulls, key=lambda pull: abs(len(pull["files"]) - FILES))
    return json.dumps(found | {"merged_at": None, "closed_at": None, "number": 10**6})


def measure(targets: list[Target], folder: Path, options: argparse.Namespace) -> list[Measured]:
    """The median of alternating rounds, after a first one that only warms up."""
    runs: dict[str, list[Measured]] = {target.name: [] for target in targets}
    for turn in range(options.rounds + 1):
        for target in targets:
            seconds = options.seconds if turn else 1
            found = wrk(target, folder, seconds=seconds, connections=options.connections)
            if turn:
                runs[target.name].append(found)
    return [median(own) for own in runs.values()]


def median(own: list[Measured]) -> Measured:
    """Each figure's median."""
    return Measured(
        own[0].name,
        rate=statistics.median(one.rate for one in own),
        cpu=statistics.median(one.cpu for one in own),
        p50=statistics.median(one.p50 for one in own),
        p99=statistics.median(one.p99 for one in own),
        memory=own[-1].memory,
    )


def wrk(target: Target, folder: Path, *, seconds: int, connections: int) -> Measured:
    """One run of wrk. SystemExit where a single answer was no 2xx."""
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [==[{target.body}]==]\n"
    )
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(script)]
    before = processor_seconds(target.pid)
    ran = subprocess.run([*arguments, target.url], capture_output=True, text=True, check=True)
    spent = processor_seconds(target.pid) - before
    if "Non-2xx" in ran.stdout:
        raise SystemExit(f"{target.name} refuses what it is asked:\n{ran.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)[1])  # type: ignore[index]
    p50, p99 = (milliseconds(ran.stdout, percent) for percent in ("50%", "99%"))
    own = psutil.Process(target.pid)
    everybody = [own, *own.children(recursive=True)]
    memory = sum(one.memory_info().rss for one in everybody) / 1e6
    count = int(re.search(r"(\d+) requests in", ran.stdout)[1])  # type: ignore[index]
    return Measured(target.name, rate, 1e6 * spent / max(1, count), p50, p99, memory)


def processor_seconds(pid: int) -> float:
    """What the process and its children have used so far."""
    own = psutil.Process(pid)
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def milliseconds(text: str, percent: str) -> float:
    """A latency out of wrk's words."""
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s)", text)
    if found is None:
        raise SystemExit(f"wrk said nothing of {percent}:\n{text}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def batch_times(url: str) -> tuple[float, float]:
    """Median seconds of batches of 10 and of 1,000 raw pulls without reasons."""
    ask = url.replace("/features", "?explain=false")
    pull = raw_pull()
    found = []
    with httpx.Client(timeout=60) as client:
        for size in (10, 1000):
            body = f"[{','.join([pull] * size)}]"
            times = []
            for _ in range(7):
                started = time.perf_counter()
                client.post(
                    ask, content=body, headers={"content-type": "application/json"}
                ).raise_for_status()
                times.append(time.perf_counter() - started)
            found.append(statistics.median(times))
    return found[0], found[1]


def judge(found: dict[str, Measured], batches: tuple[float, float]) -> list[tuple[str, str, bool]]:
    """Each limit: what, measured, whether it holds."""
    own, bare = found[LIKE_FOR_LIKE], found["bare ASGI"]

    def times(what: str, figure: float, least: float) -> tuple[str, str, bool]:
        return f"{what}: at least {least:g}", f"{figure:.2f}", figure >= least

    present = [found[name] for name in LEAST if name in found]
    verdicts: list[tuple[str, str, bool]] = [
        times(f"times {peer.name}", own.rate / peer.rate, LEAST[peer.name]) for peer in present
    ]
    lowest = min(peer.p99 for peer in present)
    verdicts.append(("p99 below every peer's", f"{own.p99:.1f} ms", own.p99 < lowest))
    verdicts.append(times("share of bare ASGI", own.rate / bare.rate, 0.30))
    verdicts.append(times("raw pull, of like for like", found["raw pull"].rate / own.rate, 0.5))
    reasons = found["raw pull, reasons"].rate / own.rate
    verdicts.append(times("with reasons, of like for like", reasons, 0.25))
    ratio = batches[1] / batches[0]
    verdicts.append(("1,000 pulls beside 10: at most 15 times", f"{ratio:.1f}", ratio <= 15))
    return verdicts


def table(found: list[Measured], verdicts: list[tuple[str, str, bool]]) -> str:
    """The figures, a line for each target and for each limit."""
    lines = [f"{'':24}{'requests/s':>11}{'CPU µs':>8}{'p50 ms':>8}{'p99 ms':>8}{'MB':>7}"]
    lines += [
        f"{one.name:24}{one.rate:11,.0f}{one.cpu:8,.0f}"
        f"{one.p50:8.2f}{one.p99:8.2f}{one.memory:7.0f}"
        for one in found
    ]
    lines.append("")
    lines += [f"{what:44}{text:>10}  {'ok' if good else 'MISSED'}" for what, text, good in verdicts]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
