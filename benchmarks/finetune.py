"""Fine-tuning beside the general model and a training from scratch, on unseen repositories.

    make bench-finetune ARGS="[--data FOLDER] [--home FOLDER] [--json]"

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given). Three times
over, a third of the repositories is left out: a model is trained on the others, fine-tuned on
the first three quarters of each one left out, and judged on its last quarter. Figures are AUC
within repositories, weighted by reverts, with bootstrap 95 % intervals; differences are paired.
"""

import json
import sys
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Silent
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.fit import FitSettings, fine_tuning
from pullrisk.train.metrics import bootstrap_weights, within_auc
from pullrisk.train.split import temporal_split
from pullrisk.train.training import TrainSettings, train
from pullrisk.train.warm_start import WarmStart
from pulls_data import arguments, prepared

ROUNDS = 3
GENERAL, SCRATCH, TUNED = "general", "from scratch", "fine-tuned"
SIZES = {"all": (0, 10**9), "60 or more": (60, 10**9), "20 to 59": (20, 60), "fewer": (0, 20)}


class Judged(msgspec.Struct):
    """One repository's last quarter: reverts before it, labels [n], every model's scores [n]."""

    repository: str
    learnt_from: int
    labels: NDArray[np.int8]
    scores: dict[str, NDArray[np.float64]]


def main() -> int:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    with prepared(options) as (table, _):
        judged = list(_judged(table))
    figures = {
        size: _figures([one for one in judged if low <= one.learnt_from < high])
        for size, (low, high) in SIZES.items()
    }
    print(json.dumps(figures) if options.json else _text(figures))
    return 0


def _judged(table: pa.Table) -> Iterator[Judged]:
    names = sorted(pc.unique(table["repository"]).to_pylist())
    for number in range(ROUNDS):
        left_out = names[number::ROUNDS]
        inside = pc.is_in(table["repository"], value_set=pa.array(left_out, pa.string()))
        general = _train(table.filter(pc.invert(inside)), test=0.0)
        for name in left_out:
            yield _judge(table.filter(pc.equal(table["repository"], name)), name, general)
            print(f"{name} done", file=sys.stderr)


def _judge(table: pa.Table, name: str, general: Bundle) -> Judged:
    data = Dataset.from_table(table, NAMES)
    split, labels = temporal_split(data), data.labels()
    before = data.labels(known_at=split.test_from, learning=True)[~split.test]
    rows = split.test & (labels != UNKNOWN)
    models = {GENERAL: general, SCRATCH: _train(table), TUNED: _train(table, start=general)}
    scores = {model: bundle.raw(data.x[rows])[0] for model, bundle in models.items()}
    return Judged(name, int((before == 1).sum()), labels[rows], scores)


def _train(table: pa.Table, *, test: float = 0.25, start: Bundle | None = None) -> Bundle:
    fit = FitSettings() if start is None else fine_tuning(FitSettings())
    return train(
        Dataset.from_table(table, NAMES),
        FEATURES,
        TrainSettings(test=test, fit=fit),
        schema_hash=SCHEMA_HASH,
        start=None if start is None else WarmStart.of(start, name=GENERAL),
        progress=Silent(),
    ).bundle


def _figures(judged: list[Judged]) -> dict[str, list[float]]:
    """Value, low and high of each model and of each difference; empty without both classes."""
    if not sum(int(one.labels.sum()) for one in judged):
        return {}
    labels = np.concatenate([one.labels for one in judged])
    groups = np.repeat(np.arange(len(judged)), [len(one.labels) for one in judged])
    weights = bootstrap_weights(len(labels), resamples=300, seed=1)
    draws = {
        model: within_auc(
            np.concatenate([one.scores[model] for one in judged]), labels, groups, weights
        )[1]
        for model in (GENERAL, SCRATCH, TUNED)
    }
    draws[f"{TUNED} - {GENERAL}"] = draws[TUNED] - draws[GENERAL]
    draws[f"{TUNED} - {SCRATCH}"] = draws[TUNED] - draws[SCRATCH]
    counts = {"repositories": [float(len(judged))], "reverts": [float(labels.sum())]}
    return counts | {
        name: [float(drawn[0]), *np.nanpercentile(drawn[1:], (2.5, 97.5)).tolist()]
        for name, drawn in draws.items()
    }


def _text(results: dict[str, dict[str, list[float]]]) -> str:
    lines = []
    for size, figures in results.items():
        lines.append(f"reverts to learn from: {size}")
        for name, values in figures.items():
            if len(values) == 1:
                lines.append(f"  {name:28} {values[0]:.0f}")
            else:
                form = "+.3f" if " - " in name else ".3f"
                value, low, high = (format(each, form) for each in values)
                lines.append(f"  {name:28} {value} [{low}, {high}]")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
