"""What preprocessing costs: time, microseconds a pull, memory, growth, and incremental runs.

    make bench-preprocess ARGS="[--data FOLDER] [--workers N] [--json]"

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given). Each run is
a process of its own; its time excludes the interpreter's start, its memory is the peak of that
process and of its largest worker together. `all` and `half` replay every repository's events
and the first half of them; `again` runs once more on the same store, `1 % new` after the last
1 % of each repository's events arrived. Exit code 1 where a figure misses its limit.
"""

import argparse
import gzip
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest
from pullrisk.pulls.sqlite import SqliteStore

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "github"
LIMITS = {
    "seconds": 12.0,
    "us_per_pull": 60.0,
    "peak_mb": 2_000.0,
    "doubling": 2.2,
    "again_seconds": 1.0,
}
"""The issue's figures, for the 200,492 pulls of ../shared/data/github on one core."""


class Measured(msgspec.Struct):
    """One run: pulls replayed, seconds, peak memory in MB."""

    pulls: int
    seconds: float
    peak_mb: float


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder:
        runs = measure(Path(folder), options.data, workers=options.workers)
    figures = summarise(runs)
    if options.json:
        print(json.dumps({"runs": msgspec.to_builtins(runs), "figures": figures}))
    else:
        show(runs, figures)
    return int(any(figures[name] > limit for name, limit in LIMITS.items()))


def measure(folder: Path, data: Path, *, workers: int) -> dict[str, Measured]:
    """Every run by name, over stores made in `folder`."""
    whole, half = folder / "pulls.sqlite", folder / "half.sqlite"
    last = list(fill(data, whole=whole, half=half))

    def run(store: Path, lake: str) -> Measured:
        return apart(one_run, store, folder / lake, workers)

    runs = {"half": run(half, "lake-half"), "99 %": run(whole, "lake")}
    with SqliteStore(whole) as store:
        store.upsert(last)
    runs["1 % new"] = run(whole, "lake")
    runs["again"] = run(whole, "lake")
    runs["all"] = run(whole, "lake-all")
    return runs


def fill(data: Path, *, whole: Path, half: Path) -> Iterator[Pull]:
    """Store the first 99 % and the first half of each repository's pulls; yield the last 1 %."""
    paths = sorted(data.glob("*.jsonl.gz"))
    if not paths:
        sys.exit(f"no *.jsonl.gz in {data}: name a folder with --data")
    for path in paths:
        with gzip.open(path) as lines:
            pulls = sorted(map(parse_rest, lines), key=lambda pull: (pull.event_at, pull.number))
        cut = len(pulls) - len(pulls) // 100
        for file, share in ((whole, pulls[:cut]), (half, pulls[: len(pulls) // 2])):
            with SqliteStore(file) as store:
                store.upsert(share)
        yield from pulls[cut:]


def one_run(store: Path, lake: Path, workers: int) -> Measured:
    """One preprocess run in this process."""
    with SqliteStore(store) as pulls:
        report = preprocess(pulls, Lake(lake), workers=workers)
    peak = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Measured(report.pulls, report.seconds, peak / 1024)


def apart(
    work: Callable[[Path, Path, int], Measured], store: Path, lake: Path, workers: int
) -> Measured:
    """Run it in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(work, store, lake, workers).result()


def summarise(runs: dict[str, Measured]) -> dict[str, float]:
    """The figures that have limits, and the cost of 1 % new pulls as a share of all."""
    everything, half = runs["all"], runs["half"]
    return {
        "seconds": everything.seconds,
        "us_per_pull": everything.seconds / everything.pulls * 1e6,
        "peak_mb": everything.peak_mb,
        "doubling": everything.seconds / half.seconds * 2 * half.pulls / everything.pulls,
        "again_seconds": runs["again"].seconds,
        "one_percent_cost": runs["1 % new"].seconds / everything.seconds,
    }


def show(runs: dict[str, Measured], figures: dict[str, float]) -> None:
    """Two plain tables."""
    print(f"{'run':<10}{'pulls':>10}{'seconds':>10}{'us/pull':>10}{'peak MB':>10}")
    for name, run in runs.items():
        each = f"{run.seconds / run.pulls * 1e6:.1f}" if run.pulls else "-"
        print(f"{name:<10}{run.pulls:>10,}{run.seconds:>10.2f}{each:>10}{run.peak_mb:>10.0f}")
    print()
    for name, value in figures.items():
        limit = f"(at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"{name:<18}{value:>10.3f}  {limit}")


if __name__ == "__main__":
    raise SystemExit(main())
