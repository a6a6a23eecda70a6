"""The general model's answer to repairs under two labels: ours, and the looser one of the data.

    make bench-labels ARGS="--home FOLDER [--json]"

FOLDER is a home that `make general-model` has filled (GENERAL_HOME=FOLDER): its lake, and in
`judged` the models of later pulls and of unseen repositories. `ours` counts a pull as repaired as
docs/outcomes.md says. `touched` is the label of ../shared/data/lines: within 90 days some commit
whose title says that it fixes something removes a code line of the pull, be it one of a thousand.
Both judge the same answers on the same pulls, those that both know; the model and the baselines
learnt ours. Figures are of all repositories together with 95 % bootstrap intervals; differences
are paired.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pullrisk.features import NAMES
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.train.baselines import Past, learners, line_counters
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import RESAMPLES
from pullrisk.train.evaluation import OURS, Part
from pullrisk.train.judged import Judged, Windows
from pulls_data import interval_text

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "lines" / "pulls.parquet"
FIGURES: Final = {
    "within_auc_weighted": "within",
    "like_size_auc": "of like size",
    "pooled_auc": "pooled",
    "average_precision": "average precision",
    "top_10": "riskiest tenth: caught",
    "precision_10": "precision",
    "lift_10": "lift",
}
SEED: Final = 20_240_601


class Labelled(msgspec.Struct, frozen=True):
    """One model's figures under each label, by the label's name."""

    model: str
    labels: dict[str, Part]


def main() -> int:
    """Print the figures of each model of the home."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="filled by make general-model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: the looser label is not here, {DATA}")
        return 0
    models = sorted((options.home / "judged").glob("*.onnx"))
    if not models:
        parser.error(f"no model in {options.home / 'judged'}: fill the home with general-model")
    dataset = Dataset.from_table(Lake(options.home / "lake").table(), NAMES)
    touched = known_to_both(dataset, pq.read_table(DATA))
    results = [judge(path.stem, Bundle.load(path), dataset, touched) for path in models]
    print(json.dumps(msgspec.to_builtins(results)) if options.json else text(results))
    return 0


def known_to_both(dataset: Dataset, data: pa.Table) -> NDArray[np.int8]:
    """The data's label of each pull of the dataset, [n]; -1 where the data has none."""
    columns = ("repo", "number", "mature", "repaired90")
    rows = zip(*(data[name].to_pylist() for name in columns), strict=True)
    label = {(repo, number): int(repaired) for repo, number, mature, repaired in rows if mature}
    pulls = zip(dataset.repository.tolist(), dataset.number.tolist(), strict=True)
    names = dataset.repositories
    return np.array([label.get((names[code], number), -1) for code, number in pulls], np.int8)


def judge(name: str, bundle: Bundle, dataset: Dataset, touched: NDArray[np.int8]) -> Labelled:
    """A model's answer to repairs, and the baselines', on what is later than its training."""
    windows = Windows.of(bundle, dataset)
    learnt = dataset.labels("repaired", known_at=windows.until, learning=True)
    rows = windows.past
    past = Past(dataset.x[rows], learnt[rows], windows.validation[rows])
    scorers = {OURS: lambda x: bundle.probability("repair", x)} | line_counters(dataset.names)
    scorers |= learners(past, bundle.metadata.features, seed=SEED, threads=1)
    ours = Judged.of(dataset, windows.test & (touched >= 0), scorers, "repaired")
    labels = {"ours": ours, "touched": replace(ours, labels=touched[ours.rows])}
    parts = {
        label: judged.compared(resamples=RESAMPLES, seed=SEED) for label, judged in labels.items()
    }
    return Labelled(name, parts)


def text(results: list[Labelled]) -> str:
    """Every model, label and kind of pulls; the mean of the unseen rounds last."""
    lines: list[str] = []
    for result in results:
        for label, part in result.labels.items():
            for words, own in pulls_of(part):
                lines += [f"\n{result.model}, label {label}, {words}", *table(own)]
    return "\n".join([*lines, *means([each for each in results if each.model != "later"])])


def pulls_of(part: Part) -> Iterator[tuple[str, Part]]:
    """All pulls and those that change code, with their counts in words."""
    for words, own in (("all pulls", part), ("code pulls", part.code_pulls)):
        if own is not None and own.models:
            share = own.positives / own.pulls
            yield f"{own.pulls:,} {words}, {own.positives:,} repaired ({share:.1%})", own


def table(part: Part) -> Iterator[str]:
    """A line a model, and below it ours minus it."""
    for name, model in part.models.items():
        figures = (f"{words} {interval_text(model.ranking[key])}" for key, words in FIGURES.items())
        yield f"  {name:20} {'; '.join(figures)}"
        if gaps := part.differences.get(name):
            minus = (
                f"{words} {interval_text(gaps[key], sign='+')}" for key, words in FIGURES.items()
            )
            yield f"  {'  ours minus it':20} {'; '.join(minus)}"


def means(rounds: list[Labelled]) -> Iterator[str]:
    """The mean of each figure over the rounds of unseen repositories."""
    if not rounds:
        return
    for label in rounds[0].labels:
        kinds = zip(*(pulls_of(each.labels[label]) for each in rounds), strict=True)
        for words, judged in zip(("all pulls", "code pulls"), kinds, strict=False):
            yield f"\nmean of {len(rounds)} rounds never seen, label {label}, {words}"
            parts = [part for _, part in judged]
            for name in parts[0].models:
                texts = (f"{named} {_mean(parts, name, key):.3f}" for key, named in FIGURES.items())
                yield f"  {name:20} {'; '.join(texts)}"


def _mean(parts: list[Part], model: str, key: str) -> float:
    values = [part.models[model].ranking[key].value for part in parts]
    return float(np.mean([np.nan if value is None else value for value in values]))


if __name__ == "__main__":
    sys.exit(main())
