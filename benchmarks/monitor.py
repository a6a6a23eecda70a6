"""How often `pullrisk monitor` speaks of drift where there is none, and where there is.

    make bench-monitor ARGS="[--data FOLDER] [--home FOLDER] [--json]"

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given, or the
bundled sample where that is absent). At twelve moments of each repository's second half, the
90 days that follow are held against the 2,000 pulls before: as they are; in shuffled order,
where by construction nothing drifts; and with three kinds of drift injected. Beside our rule
stand the two that are common: an index above 0.25, and a p-value of 0.05 or less.
"""

import json
import sys
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features import FEATURES, NAMES
from pullrisk.model.reference import SCORES, Reference, binned, stability_index
from pullrisk.monitor.drift import Drift, compare, kolmogorov_smirnov
from pullrisk.options import MonitorOptions
from pullrisk.train.dataset import MICROSECONDS_PER_DAY, Dataset
from pullrisk.train.training import TrainSettings
from pulls_data import arguments, prepared, train_on

MOMENTS = np.linspace(0.5, 0.94, 12)
OPTIONS = MonitorOptions()
Values = NDArray[np.float64]
COLUMNS = (*NAMES, *SCORES)


class Rates(msgspec.Struct):
    """Over all windows: shares of columns that each rule flags, of windows that raise an alarm."""

    windows: int
    index_alone: float
    p_alone: float
    ours: float
    alarms: float


def main() -> int:
    """Measure and print; exit code 1 where shuffled pulls raise an alarm in 5 % of windows."""
    options = arguments(__doc__).parse_args()
    with prepared(options) as (table, _):
        dataset = Dataset.from_table(table, NAMES)
    values = _with_scores(dataset)
    kinds = ("as they are", "shuffled", "three times as large", "half by bots", "files missing")
    rates = {kind: _rates(list(_windows(dataset, values, kind))) for kind in kinds}
    if options.json:
        print(json.dumps(msgspec.to_builtins(rates)))
    else:
        print(_text(rates))
    return int(rates["shuffled"].alarms >= 0.05)


def _with_scores(dataset: Dataset) -> Values:
    """Features and scores of every pull, by a model of each repository's first half."""
    bundle = train_on(dataset, TrainSettings(test=0.5))
    risk, error, _ = bundle.raw(dataset.x)
    return np.column_stack([dataset.x, risk, error])


def _windows(dataset: Dataset, values: Values, kind: str) -> Iterator[tuple[Drift, float, float]]:
    """Our verdict on each window, and the shares of columns that the plain rules flag."""
    random = np.random.default_rng(0)
    for code, name in enumerate(dataset.repositories):
        rows = np.flatnonzero(dataset.repository == code)
        merged = dataset.merged_at[rows]
        own = values[random.permutation(rows) if kind == "shuffled" else rows]
        for share in MOMENTS:
            cut = merged[0] + share * (merged[-1] - merged[0])
            past, recent = own[merged < cut], own[(merged >= cut) & (merged < cut + _span())]
            if len(recent) < OPTIONS.least_pulls or len(past) < 2 * OPTIONS.least_pulls:
                continue
            reference = Reference.of(past, np.zeros(len(past), int), (name,), columns=COLUMNS)
            recent = _disturbed(recent, kind, random)
            drift = compare(reference, name, recent, period=("", ""), options=OPTIONS)
            expected, found = reference.expected(name), binned(recent, reference.bins)
            index = stability_index(expected, found) > OPTIONS.index
            p_value = kolmogorov_smirnov(expected, found) <= 0.05
            yield drift, float(index.mean()), float(p_value.mean())


def _span() -> int:
    return OPTIONS.days * MICROSECONDS_PER_DAY


def _disturbed(values: Values, kind: str, random: np.random.Generator) -> Values:
    """The same pulls after something happened to their features; scores stay as they were."""
    changed = values.copy()
    if kind == "three times as large":
        sized = [place for place, one in enumerate(FEATURES) if one.family == "size"]
        changed[:, sized] *= np.where([FEATURES[p].scale == "log" for p in sized], 3.0, 1.0)
    elif kind == "half by bots":
        bots = changed[changed[:, NAMES.index("author_bot")] > 0]
        pool = bots if len(bots) else changed[:1]
        chosen = random.random(len(changed)) < 0.5
        changed[chosen] = pool[random.integers(0, len(pool), int(chosen.sum()))]
        changed[chosen, NAMES.index("author_bot")] = 1.0
    elif kind == "files missing":
        families = ("files", "directories")
        changed[:, [place for place, one in enumerate(FEATURES) if one.family in families]] = 0.0
    return changed


def _rates(windows: list[tuple[Drift, float, float]]) -> Rates:
    return Rates(
        windows=len(windows),
        index_alone=float(np.mean([index for _, index, _ in windows])),
        p_alone=float(np.mean([p_value for _, _, p_value in windows])),
        ours=float(np.mean([len(one.drifted) / len(one.columns) for one, _, _ in windows])),
        alarms=float(np.mean([_alarming(one) for one, _, _ in windows])),
    )


def _alarming(drift: Drift) -> bool:
    names = {column.name for column in drift.drifted}
    features = names - set(SCORES)
    return bool(names & set(SCORES)) or len(features) / len(NAMES) > OPTIONS.drifted_share


def _text(rates: dict[str, Rates]) -> str:
    names = f"{'windows':>8}{'index > 0.25':>14}{'p <= 0.05':>11}{'ours':>8}{'alarms':>8}"
    head = f"{'pulls':22}{names}"
    rows = [
        f"{kind:22}{one.windows:8}{one.index_alone:14.1%}{one.p_alone:11.1%}{one.ours:8.2%}"
        f"{one.alarms:8.1%}"
        for kind, one in rates.items()
    ]
    about = "shares of features and scores that each rule flags; alarms: share of windows"
    return "\n".join([head, *rows, about])


if __name__ == "__main__":
    sys.exit(main())
