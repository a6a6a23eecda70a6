"""What the benchmarks of the model share: options, pulls taken through the pipeline, training."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from pullrisk.features import FEATURES, SCHEMA_HASH
from pullrisk.fetch.files import fetch_files
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.preprocess import preprocess
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import Interval
from pullrisk.train.training import TrainSettings, train

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "github"
STORE = "pulls.sqlite"


def arguments(module: str) -> argparse.ArgumentParser:
    """A parser with --data, --home and --json, that says the first line of a module's docstring."""
    parser = argparse.ArgumentParser(description=module.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of *.jsonl.gz")
    parser.add_argument(
        "--home", type=Path, help="keep store and lake here; without --data, use what is there"
    )
    parser.add_argument("--json", action="store_true")
    return parser


@contextmanager
def prepared(options: argparse.Namespace) -> Iterator[tuple[pa.Table, SqliteStore]]:
    """The feature table of the files in --data, and the store behind it; ends where none is.

    Without --data, those of the home if it has a store, else of the shared or bundled files.
    """
    filled = options.home is not None and (options.home / STORE).exists()
    if options.data is None and not filled:
        options.data = SHARED if SHARED.is_dir() else ROOT / "sample"
    paths = sorted(options.data.glob("*.jsonl.gz")) if options.data else []
    if options.data and not paths:
        sys.exit(f"no *.jsonl.gz in {options.data}: name a folder with --data")
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder:
        home = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        lake = Lake(home / "lake")
        with SqliteStore(home / STORE) as store:
            fetch_files(paths, store, progress=Silent())
            preprocess(store, lake, progress=Silent())
            yield lake.table(), store


def train_on(data: Dataset, settings: TrainSettings | None = None) -> Bundle:
    """The model that `pullrisk train` makes of these pulls."""
    settings = settings or TrainSettings()
    return train(data, FEATURES, settings, schema_hash=SCHEMA_HASH, progress=Silent()).bundle


def interval_text(interval: Interval | None, *, sign: str = "") -> str:
    """A figure with its interval; `sign` is "+" for differences."""
    if interval is None or interval.value is None:
        return "-"
    form = f"{sign}.3f"
    low, high = interval.low or 0.0, interval.high or 0.0
    return f"{interval.value:{form}} [{low:{form}}, {high:{form}}]"
