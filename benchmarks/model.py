"""How well the model ranks risk and finds the odd, beside the plain baselines.

    python benchmarks/model.py [--data FOLDER] [--json] [--unseen] [--home FOLDER]

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given, or the
bundled sample where that is absent). They go through the real pipeline: store, preprocess,
train, evaluate on the last 25 % of each repository's time. `--unseen` instead trains on two
thirds of the repositories and judges on the others, three times over, so that each is unseen
once. Figures come with 95 % bootstrap intervals; differences are paired. Exit code 1 where a
target is missed, which only the full data of ../shared is held to.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.fetch.files import fetch_files
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.preprocess.local import preprocess
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.train.baselines import BOOSTING, ISOLATION, LINES_ADDED, LOGISTIC
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import evaluate
from pullrisk.train.injections import inject
from pullrisk.train.novelty import ALL_KINDS
from pullrisk.train.report import OURS, Evaluation, Interval
from pullrisk.train.training import TrainSettings, train

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "github"
FIGURES = (
    "pooled_auc", "within_auc", "within_auc_weighted", "average_precision",
    "top_5", "top_10", "top_30", "pooled_top_10",
)  # fmt: skip
FOLDS = 3
LATER = "later pulls"
SECONDS = 120.0
"""Most that training may take on 200,492 pulls and two cores."""


class Result(msgspec.Struct):
    """One evaluation, and the seconds that training and judging took."""

    name: str
    train_seconds: float
    evaluate_seconds: float
    evaluation: Evaluation


def main() -> int:
    """Measure, print, and say by the exit code whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED if SHARED.is_dir() else ROOT / "sample")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--unseen", action="store_true", help="judge on other repositories")
    parser.add_argument("--home", type=Path, help="keep store and lake here, and reuse them")
    options = parser.parse_args()
    paths = sorted(options.data.glob("*.jsonl.gz"))
    if not paths:
        parser.error(f"no *.jsonl.gz in {options.data}")
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder:
        home = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        with SqliteStore(home / "pulls.sqlite") as store:
            table = features(paths, store, Lake(home / "lake"))
            results = unseen(table) if options.unseen else [later(table, store)]
    print(json.dumps(msgspec.to_builtins(results)) if options.json else text(results))
    held = options.data == SHARED and not options.unseen
    return int(held and bool(missed(results[0])))


def features(paths: Sequence[Path], store: SqliteStore, lake: Lake) -> pa.Table:
    """The feature table of the files, by way of the store."""
    fetch_files(paths, store, progress=Silent())
    preprocess(store, lake, progress=Silent())
    return lake.table()


def later(table: pa.Table, store: SqliteStore) -> Result:
    """Train on each repository's past and judge on its last quarter, novelty included."""
    data = Dataset.from_table(table, NAMES)
    started = time.perf_counter()
    bundle = _train(data)
    trained = time.perf_counter()
    since = bundle.metadata.facts.trained_until
    injected = inject(store.events, since, progress=Silent())
    evaluation = evaluate(bundle, data, injected=injected, progress=Silent())
    ended = time.perf_counter()
    return Result(LATER, trained - started, ended - trained, evaluation)


def unseen(table: pa.Table) -> list[Result]:
    """Train on two thirds of the repositories and judge on the others, each once."""
    names = sorted(pc.unique(table["repository"]).to_pylist())
    results = []
    for fold in range(FOLDS):
        held_out = pa.array(names[fold::FOLDS], pa.string())
        mask = pc.is_in(table["repository"], value_set=held_out)
        started = time.perf_counter()
        bundle = _train(Dataset.from_table(table.filter(pc.invert(mask)), NAMES))
        trained = time.perf_counter()
        # The baselines need the training rows too; the model's own test windows do not count.
        facts = bundle.metadata.facts
        data = Dataset.from_table(table, NAMES)
        until = np.array([facts.trained_until.get(name, -1) for name in data.repositories])
        keep = (until < 0)[data.repository] | (data.merged_at < until[data.repository])
        evaluation = evaluate(bundle, data.take(keep), progress=Silent())
        name = f"unseen: {', '.join(held_out.to_pylist())}"
        seconds = time.perf_counter() - trained
        results.append(Result(name, trained - started, seconds, evaluation))
    return results


def missed(result: Result) -> list[str]:
    """The targets of issue 2 that do not hold."""
    evaluation = result.evaluation
    ours = evaluation.models[OURS].ranking
    checks = {
        "pooled AUC >= 0.70": _value(ours["pooled_auc"]) >= 0.70,
        "within-repository AUC, weighted >= 0.60": _value(ours["within_auc_weighted"]) >= 0.60,
        "reverts in the top 10 % >= 0.30": _value(ours["pooled_top_10"]) >= 0.30,
        f"training <= {SECONDS:.0f} s": result.train_seconds <= SECONDS,
    }
    for name in (LINES_ADDED, LOGISTIC):
        for figure in ("pooled_auc", "within_auc_weighted"):
            gap = evaluation.differences[name][figure]
            checks[f"{figure} ahead of {name}"] = _value(gap) > 0
    for figure in ("pooled_auc", "within_auc_weighted"):
        gap = evaluation.differences[BOOSTING][figure]
        checks[f"{figure} not behind {BOOSTING}"] = (gap.high or 0) >= 0
    if evaluation.novelty:
        novelty = evaluation.novelty
        checks["novelty AUC >= 0.90"] = _value(novelty.ours[ALL_KINDS]) >= 0.90
        checks[f"novelty ahead of {ISOLATION}"] = (novelty.difference[ALL_KINDS].low or 0) > 0
    return [name for name, holds in checks.items() if not holds]


def text(results: Sequence[Result]) -> str:
    """Every figure, ours beside the baselines."""
    return "\n\n".join(_one(result) for result in results)


def _one(result: Result) -> str:
    found = result.evaluation
    lines = [
        f"{result.name}: {found.pulls:,} pulls, {found.positives} {found.target}, "
        f"{found.since} to {found.until}; trained in {result.train_seconds:.0f} s, "
        f"judged in {result.evaluate_seconds:.0f} s"
    ]
    for figure in FIGURES:
        lines.append(f"\n{figure}")
        for name, model in found.models.items():
            gap = found.differences.get(name, {}).get(figure)
            beside = f"   ours {_told(gap, sign='+')}" if gap else ""
            lines.append(f"  {name:20} {_told(model.ranking[figure])}{beside}")
    if found.probability:
        probability = found.probability
        lines.append(
            f"\nBrier {probability.brier:.5f} (base rate {probability.brier_of_base_rate:.5f}), "
            f"expected calibration error {probability.expected_calibration_error:.5f}"
        )
    for band, point in found.bands.items():
        lines.append(
            f"{band}: flags {point.flagged:.3f}, precision {point.precision or 0:.4f}, "
            f"recall {point.recall or 0:.3f}, F1 {point.f1 or 0:.4f}"
        )
    lines += _novelty(found)
    if result.name == LATER:
        lines += [f"missed: {name}" for name in missed(result)]
    return "\n".join(lines)


def _novelty(found: Evaluation) -> list[str]:
    if found.novelty is None:
        return []
    novelty = found.novelty
    return ["\nnovelty AUC of injected anomalies (ours, IsolationForest, difference)"] + [
        f"  {kind:28} {_told(novelty.ours[kind])}  {_told(novelty.isolation_forest[kind])}"
        f"  {_told(novelty.difference[kind], sign='+')}"
        for kind in novelty.ours
    ]


def _train(data: Dataset) -> Bundle:
    return train(data, FEATURES, TrainSettings(), schema_hash=SCHEMA_HASH, progress=Silent()).bundle


def _value(interval: Interval) -> float:
    return interval.value if interval.value is not None else float("nan")


def _told(interval: Interval, *, sign: str = "") -> str:
    if interval.value is None:
        return "-"
    form = f"{sign}.3f"
    low, high = interval.low or 0.0, interval.high or 0.0
    return f"{interval.value:{form}} [{low:{form}}, {high:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
