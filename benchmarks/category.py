"""How well the model tells categories, beside the transparent rules.

    make bench-category ARGS="[--data FOLDER] [--json] [--unseen] [--home FOLDER]"

FOLDER holds *.jsonl.gz files of REST objects (../shared/data/github unless given, or the
bundled sample where that is absent). They go through the real pipeline: store, preprocess,
train. Judged are the pulls of the last 25 % of each repository's time whose title or labels
state a category, with that prefix hidden; `--unseen` instead trains on two thirds of the
repositories and judges on the others, three times over. Figures come with 95 % bootstrap
intervals; the difference is paired. Exit code 1 where a target is missed, which only the full
data of ../shared is held to.
"""

import json
import sys

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pullrisk.features import NAMES
from pullrisk.model.bundle import Bundle
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import RESAMPLES
from pullrisk.train.evaluation import Categories
from pullrisk.train.figures import judge_categories
from pulls_data import SHARED, arguments, interval_text, prepared, train_on

FOLDS = 3
LEAST_F1 = 0.65
LEAST_LEAD = 0.10
"""What is asked of macro-F1 on later pulls, and of its lead over the rules."""


def main() -> int:
    """Measure, print, and say by the exit code whether the targets hold."""
    parser = arguments(__doc__)
    parser.add_argument("--unseen", action="store_true", help="judge on other repositories")
    options = parser.parse_args()
    with prepared(options) as (table, _):
        results = unseen(table) if options.unseen else {"later pulls": later(table)}
    print(json.dumps(msgspec.to_builtins(results)) if options.json else text(results))
    held = options.data == SHARED and not options.unseen
    return int(held and any(map(missed, results.values())))


def later(table: pa.Table) -> Categories:
    """Train on each repository's past, judge on its last quarter."""
    data = Dataset.from_table(table, NAMES)
    bundle = train_on(data)
    until = np.array([bundle.metadata.facts.trained_until[name] for name in data.repositories])
    return _judge(bundle, data, data.merged_at >= until[data.repository])


def unseen(table: pa.Table) -> dict[str, Categories]:
    """Train on two thirds of the repositories and judge on the others, each once."""
    names = sorted(pc.unique(table["repository"]).to_pylist())
    results = {}
    for fold in range(FOLDS):
        held_out = names[fold::FOLDS]
        mask = pc.is_in(table["repository"], value_set=pa.array(held_out, pa.string()))
        bundle = train_on(Dataset.from_table(table.filter(pc.invert(mask)), NAMES))
        data = Dataset.from_table(table.filter(mask), NAMES)
        name = f"unseen: {', '.join(held_out)}"
        results[name] = _judge(bundle, data, np.ones(len(data), bool))
    return results


def missed(result: Categories) -> list[str]:
    """The targets that do not hold."""
    checks = {
        f"macro-F1 >= {LEAST_F1}": (result.macro_f1.value or 0) >= LEAST_F1,
        f"ahead of the rules by >= {LEAST_LEAD}": (result.difference.value or 0) >= LEAST_LEAD,
    }
    return [name for name, holds in checks.items() if not holds]


def text(results: dict[str, Categories]) -> str:
    """Every figure, the model's beside the rules'."""
    return "\n\n".join(_one(name, each) for name, each in results.items())


def _one(name: str, result: Categories) -> str:
    lines = [
        f"{name}: {result.pulls:,} pulls that state a category, prefix hidden",
        f"macro-F1   model {interval_text(result.macro_f1)}  "
        f"rules {interval_text(result.rules_macro_f1)}  "
        f"ahead {interval_text(result.difference, sign='+')}",
        f"accuracy   model {result.accuracy:.3f}  rules {result.rules_accuracy:.3f}",
        f"expected calibration error {result.expected_calibration_error:.3f}",
        f"\n{'category':18} {'pulls':>6}  {'F1 of the model':22} F1 of the rules",
    ]
    lines += [
        f"{one.category:18} {one.pulls:6,}  {interval_text(one.f1):22} "
        f"{interval_text(one.rules_f1)}"
        for one in result.each
    ]
    return "\n".join([*lines, *(f"missed: {name}" for name in missed(result))])


def _judge(bundle: Bundle, data: Dataset, rows: np.ndarray) -> Categories:
    categories = judge_categories(bundle, data, rows, resamples=RESAMPLES, seed=0)
    if categories is None:
        raise SystemExit("no category: too few titles or labels in the training data state one")
    return categories


if __name__ == "__main__":
    sys.exit(main())
