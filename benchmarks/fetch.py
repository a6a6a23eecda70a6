"""What fetching costs: file → pull store, file by file, and what the store then answers.

    python benchmarks/fetch.py [--data FOLDER] [--json]

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given, or the
bundled sample where that is absent). All go into one new SQLite store. `again` is a second
fetch of the same files; the other lines are the store's own reads. Exit code 1 where a figure
misses its limit.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from pullrisk.fetch.files import fetch_files
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "github"
LIMITS = {"all": 20.0, "repositories()": 0.3}
"""Seconds, for the 200,492 pulls of ../shared/data/github; fewer pulls must not take longer."""


class Measured(msgspec.Struct):
    """One step: pulls it handled, seconds, size of the store in MB afterwards."""

    step: str
    pulls: int
    seconds: float
    store_mb: float


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED if SHARED.is_dir() else ROOT / "sample")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = sorted(options.data.glob("*.jsonl.gz"))
    if not paths:
        parser.error(f"no *.jsonl.gz in {options.data}")
    with (
        tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder,
        SqliteStore(Path(folder) / "pulls.sqlite") as store,
    ):
        runs = [*fetches(paths, store), *reads(store)]
    if options.json:
        print(json.dumps(msgspec.to_builtins(runs)))
    else:
        print(table(runs))
    return int(any(run.seconds > LIMITS.get(run.step, run.seconds) for run in runs))


def fetches(paths: list[Path], store: SqliteStore) -> list[Measured]:
    """Each file, their sum, and all of them once more."""
    runs = [measured(path.name, store, partial(fetch, [path], store)) for path in paths]
    total = sum(run.pulls for run in runs)
    runs.append(Measured("all", total, sum(run.seconds for run in runs), runs[-1].store_mb))
    again = measured("again", store, partial(fetch, paths, store))
    return [*runs, again]


def fetch(paths: list[Path], store: SqliteStore) -> int:
    """Lines read now or found done before."""
    report = fetch_files(paths, store, progress=Silent())
    return report.read + report.resumed


def reads(store: SqliteStore) -> list[Measured]:
    """The reads that other stages lean on, over every repository."""
    names = [summary.repository for summary in store.repositories()]
    return [
        measured("repositories()", store, lambda: sum(s.pulls for s in store.repositories())),
        measured("fingerprints()", store, lambda: sum(len(store.fingerprints(n)) for n in names)),
        measured("events()", store, lambda: sum(1 for n in names for _ in store.events(n))),
    ]


def measured(step: str, store: SqliteStore, work: Callable[[], int]) -> Measured:
    """Time one step; `work` returns how many pulls it handled."""
    started = time.perf_counter()
    pulls = work()
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in store.path.parent.iterdir())
    return Measured(step, pulls, seconds, size / 1e6)


def table(runs: list[Measured]) -> str:
    """The figures, a line for each step."""
    lines = [f"{'step':44}{'pulls':>9}{'seconds':>9}{'pulls/s':>11}{'store MB':>10}  limit"]
    for run in runs:
        limit = LIMITS.get(run.step)
        rate = run.pulls / max(run.seconds, 1e-9)
        lines.append(
            f"{run.step:44}{run.pulls:9,}{run.seconds:9.2f}{rate:11,.0f}{run.store_mb:10.1f}"
            + (f"  {limit} s" if limit else "")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
