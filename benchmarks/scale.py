"""What preprocessing costs as its input grows, on each engine, beside DuckDB and Polars.

    make bench-scale ARGS="[--max PULLS] [--engines NAMES] [--json]"

Input is synthetic (benchmarks/synthetic), about 8 files a pull, 250,000 pulls doubled up to --max.
Every run is a process of its own; `MB` and `cpu s` are those of the process and its children
(not of a JVM's processor time, which nobody waits for). `start` is the part of `seconds` that
Spark took to start. DuckDB and Polars compute 15 of the features from Parquet files made for
them; their time excludes the making. Exit code 1 where a figure misses its limit (only those
that were measured are judged).
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec

import synthetic
from apart import Cost, Job, run_apart
from preprocess_peers import COLUMNS, make, run_duckdb, run_polars
from pullrisk.features import NAMES
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore

SMALLEST, LARGEST = 250_000, 4_000_000
REPOSITORIES, MEAN_FILES, SEED = 40, 10.0, 1
LIMITS = {
    "local_us_per_pull": (40.0, "at most"),
    "local_growth_per_doubling": (2.15, "at most"),
    "two_processes_speed": (1.8, "at least"),
    "spark_two_cores_speed": (1.6, "at least"),
    "spark_over_local": (1.5, "at most"),
}
"""The issue's figures."""


class Measured(msgspec.Struct, kw_only=True):
    """One run: what it cost, and seconds of it that went into starting the engine."""

    engine: str
    pulls: int
    start: float
    cost: Cost

    @property
    def seconds(self) -> float:
        """Seconds by the clock on the wall."""
        return self.cost.seconds


def local(workers: int) -> Job:
    """The local engine."""
    return partial(run_local, workers=workers)


def run_local(folder: Path, out: Path, *, workers: int) -> float:
    """Replay in processes of this machine."""
    with SqliteStore(folder / "pulls.sqlite") as store:
        preprocess(store, Lake(out), workers=workers)
    return 0.0


def spark(cores: int) -> Job:
    """Spark on cores of this machine."""
    return partial(run_spark, cores=cores)


def run_spark(folder: Path, out: Path, *, cores: int) -> float:
    """Replay on Spark; seconds that its session took to start."""
    from pullrisk.options import SparkOptions
    from pullrisk.preprocess.spark import preprocess_spark
    from pullrisk.preprocess.spark_session import spark_session

    started = time.perf_counter()
    with spark_session(SparkOptions(master=f"local[{cores}]")) as session:
        start = time.perf_counter() - started
        with SqliteStore(folder / "pulls.sqlite") as store:
            preprocess_spark(store, Lake(out), spark=session)
    return start


def duckdb(folder: Path, out: Path) -> float:
    """DuckDB on two cores."""
    run_duckdb(folder, out, threads=2)
    return 0.0


def polars(folder: Path, out: Path) -> float:
    """Polars on two cores."""
    run_polars(folder, out)
    return 0.0


ENGINES: dict[str, Job] = {
    "local": local(1),
    "local, 2 processes": local(2),
    "spark local[1]": spark(1),
    "spark local[2]": spark(2),
    "duckdb": duckdb,
    "polars": polars,
}


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max", type=int, default=LARGEST, help="pulls of the largest input")
    parser.add_argument("--engines", default=",".join(ENGINES).replace(", 2", " 2"))
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder unless set")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engines = [name for name in ENGINES if name.replace(",", "") in options.engines.split(",")]
    runs: list[Measured] = []
    pulls = min(SMALLEST, options.max)
    while pulls <= options.max:
        with tempfile.TemporaryDirectory(prefix="pullrisk-scale-", dir=options.folder) as folder:
            made = synthetic.pulls(
                pulls, repositories=REPOSITORIES, seed=SEED, mean_files=MEAN_FILES
            )
            make(Path(folder), made)
            for name in engines:
                runs.append(apart(name, Path(folder), pulls))
                print(f"{line(runs[-1])}", file=sys.stderr, flush=True)
        pulls *= 2
    figures = judge(runs)
    if options.json:
        print(json.dumps({"runs": msgspec.to_builtins(runs), "figures": figures}))
    else:
        show(runs, figures)
    return int(any(missed(name, value) for name, value in figures.items()))


def apart(name: str, folder: Path, pulls: int) -> Measured:
    """Run one engine in a fresh process."""
    os.environ["POLARS_MAX_THREADS"] = "2"
    out = folder / "out"
    cost, start = run_apart(ENGINES[name], folder, out)
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    return Measured(engine=name, pulls=pulls, start=start, cost=cost)


def judge(runs: list[Measured]) -> dict[str, float]:
    """The figures that have limits, as far as they were measured."""
    seconds = {(run.engine, run.pulls): run.seconds for run in runs}
    largest = max(run.pulls for run in runs)
    ratios = {
        "two_processes_speed": ("local", "local, 2 processes"),
        "spark_two_cores_speed": ("spark local[1]", "spark local[2]"),
        "spark_over_local": ("spark local[2]", "local, 2 processes"),
    }
    figures: dict[str, float] = {}
    if ("local", largest) in seconds:
        figures["local_us_per_pull"] = seconds["local", largest] / largest * 1e6
    if ("local", largest // 2) in seconds:
        figures["local_growth_per_doubling"] = max(
            seconds["local", pulls] / seconds["local", pulls // 2]
            for engine, pulls in seconds
            if engine == "local" and ("local", pulls // 2) in seconds
        )
    for name, (one, other) in ratios.items():
        if {(one, largest), (other, largest)} <= seconds.keys():
            figures[name] = seconds[one, largest] / seconds[other, largest]
    return figures


def missed(name: str, value: float) -> bool:
    """Whether the figure misses its limit."""
    limit, kind = LIMITS[name]
    return value > limit if kind == "at most" else value < limit


def line(run: Measured) -> str:
    """One run as a row of the table."""
    cost = run.cost
    each, rate = cost.seconds / run.pulls * 1e6, run.pulls / cost.seconds
    return (
        f"{run.engine:<20}{run.pulls:>11,}{cost.seconds:>9.1f}{run.start:>8.1f}"
        f"{cost.cpu_seconds:>9.1f}{each:>9.1f}{rate:>10,.0f}{cost.peak_mb:>9,.0f}"
    )


def show(runs: list[Measured], figures: dict[str, float]) -> None:
    """The table, the plot as bars of text, and the figures."""
    print(f"ours: {len(NAMES)} features; duckdb and polars: {len(COLUMNS) - 1}\n")
    print(f"{'engine':<20}{'pulls':>11}{'seconds':>9}{'start':>8}{'cpu s':>9}", end="")
    print(f"{'us/pull':>9}{'rows/s':>10}{'MB':>9}")
    for run in sorted(runs, key=lambda run: list(ENGINES).index(run.engine)):
        print(line(run))
    print("\nmicroseconds a pull")
    most = max(run.seconds / run.pulls for run in runs)
    for run in sorted(runs, key=lambda run: list(ENGINES).index(run.engine)):
        bar = "#" * max(1, round(50 * run.seconds / run.pulls / most))
        print(f"{run.engine:<20}{run.pulls:>11,} {bar}")
    print()
    for name, value in figures.items():
        limit, kind = LIMITS[name]
        print(f"{name:<28}{value:>8.2f}  ({kind} {limit:g}{', MISSED' * missed(name, value)})")


if __name__ == "__main__":
    raise SystemExit(main())
