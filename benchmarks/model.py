"""How well the model ranks risk and finds the odd, beside the plain baselines.

    make bench-model ARGS="[--data FOLDER] [--json] [--unseen] [--home FOLDER]"

FOLDER holds *.jsonl.gz files of records or REST objects (../shared/data/github unless given, or
the bundled sample where that is absent). They go through the real pipeline: store, preprocess,
train, evaluate on the last 25 % of each repository's time. A --home that `make general-model`
has filled (GENERAL_HOME=FOLDER) is judged as it is, with lines and so with repairs, which
../shared/data/github does not have. `--unseen` instead trains on all but five repositories and
judges on those, in rotation, so that each is unseen at least once. Figures come with 95 %
bootstrap intervals; differences are paired. Targets are those of seventeen repositories with
lines: exit code 1 where one is missed.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model_targets import everything, mean, missed, missed_unseen, part_of
from novelty_peers import pyod_peers
from pullrisk.features import NAMES
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.train.baselines import ISOLATION
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import RESAMPLES, Options, evaluate
from pullrisk.train.evaluation import OURS, Evaluation, Interval, Novelty, Part
from pullrisk.train.injections import inject
from pullrisk.train.novelty import Detector, Injected, judge_novelty
from pulls_data import arguments, interval_text, prepared, train_on

FIGURES = (
    "pooled_auc", "within_auc_weighted", "like_size_auc", "average_precision",
    "precision_10", "lift_10", "top_5", "top_10", "top_30",
)  # fmt: skip
UNSEEN = 5
LATER = "later pulls"
REPOSITORIES = 17
"""With fewer, and without lines, nothing is held to the targets."""


class Result(msgspec.Struct):
    """One evaluation, and the seconds that training and judging took."""

    name: str
    train_seconds: float
    evaluate_seconds: float
    evaluation: Evaluation
    novelty_peers: dict[str, Novelty]


def main() -> int:
    """Measure, print, and say by the exit code whether the targets hold."""
    parser = arguments(__doc__)
    parser.add_argument("--unseen", action="store_true", help="judge on other repositories")
    parser.add_argument("--no-baselines", action="store_true", help="with --unseen: ours alone")
    options = parser.parse_args()
    with prepared(options) as (table, store):
        if options.unseen:
            results = unseen(table, baselines=not options.no_baselines)
        else:
            results = [later(table, store)]
    if options.unseen:
        misses = missed_unseen([result.evaluation for result in results])
    else:
        misses = missed(results[0].evaluation, results[0].train_seconds, results[0].novelty_peers)
    print(json.dumps(msgspec.to_builtins(results)) if options.json else text(results, misses))
    held = len(pc.unique(table["repository"])) >= REPOSITORIES
    held &= results[0].evaluation.target == "risk"
    return int(held and bool(misses))


def later(table: pa.Table, store: SqliteStore) -> Result:
    """Train on each repository's past and judge on its last quarter, novelty included."""
    data = Dataset.from_table(table, NAMES)
    started = time.perf_counter()
    bundle = train_on(data)
    trained = time.perf_counter()
    since = bundle.metadata.facts.trained_until
    injected = inject(store.events, since, progress=Silent())
    evaluation = evaluate(bundle, data, injected=injected, progress=Silent())
    peers = _novelty_peers(bundle, data, injected) if injected else {}
    ended = time.perf_counter()
    return Result(LATER, trained - started, ended - trained, evaluation, peers)


def _novelty_peers(bundle: Bundle, data: Dataset, injected: Injected) -> dict[str, Novelty]:
    """Our novelty beside PyOD's detectors, which learn from the same past."""
    facts = bundle.metadata.facts
    until, since = (
        np.array([moments[name] for name in data.repositories])
        for moments in (facts.trained_until, facts.validation_from)
    )
    past = data.take(data.merged_at < until[data.repository])
    recent = past.take(past.merged_at >= since[past.repository])
    return {
        name: judge_novelty(
            bundle, injected, Detector.of(scorer, recent), resamples=RESAMPLES, seed=0
        )
        for name, scorer in pyod_peers(past.x, seed=0).items()
    }


def rotations(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of five names, each next to the one before, until every name was in one."""
    starts = range(0, len(names), UNSEEN)
    return [tuple(dict.fromkeys([*names, *names][start : start + UNSEEN])) for start in starts]


def unseen(table: pa.Table, *, baselines: bool) -> list[Result]:
    """Train without five repositories and judge on those, each rotation once."""
    names = sorted(pc.unique(table["repository"]).to_pylist())
    results = []
    for group in rotations(names):
        mask = pc.is_in(table["repository"], value_set=pa.array(group, pa.string()))
        started = time.perf_counter()
        bundle = train_on(Dataset.from_table(table.filter(pc.invert(mask)), NAMES))
        trained = time.perf_counter()
        # The baselines need the training rows too; the model's own test windows do not count.
        facts = bundle.metadata.facts
        data = Dataset.from_table(table, NAMES)
        until = np.array([facts.trained_until.get(name, -1) for name in data.repositories])
        keep = (until < 0)[data.repository] | (data.merged_at < until[data.repository])
        options = Options(baselines=baselines)
        evaluation = evaluate(bundle, data.take(keep), options=options, progress=Silent())
        seconds = time.perf_counter() - trained
        name = f"unseen: {', '.join(group)}"
        results.append(Result(name, trained - started, seconds, evaluation, {}))
    return results


def mean_of(results: Sequence[Result]) -> str:
    """Every model's mean over the rotations: each outcome, all pulls and those that change code."""
    names = [name for name in FIGURES if name in _ours(results[0].evaluation)]
    lines = [f"mean of {len(results)} rotations"]
    for outcome in (results[0].evaluation.target, *results[0].evaluation.questions):
        whole = [part for result in results if (part := part_of(result.evaluation, outcome))]
        code = [part.code_pulls for part in whole if part.code_pulls and part.code_pulls.models]
        for words, parts in ((outcome, whole), (f"{outcome}, code pulls", code)):
            for name in parts[0].models if parts else ():
                told = "  ".join(f"{figure} {mean(parts, name, figure):.3f}" for figure in names)
                lines.append(f"  {words:21} {name:20} {told}")
    return "\n".join(lines)


def _code(evaluation: Evaluation) -> Part | None:
    part = evaluation.code_pulls
    return part if part is not None and part.models else None


def _ours(evaluation: Evaluation) -> Mapping[str, Interval]:
    return evaluation.models[OURS].ranking


def text(results: Sequence[Result], misses: Sequence[str]) -> str:
    """Every figure, ours beside the baselines."""
    parts = [_one(result) for result in results]
    parts += [mean_of(results)] if len(results) > 1 else []
    return "\n\n".join([*parts, *(f"missed: {name}" for name in misses)])


def _one(result: Result) -> str:
    found = result.evaluation
    lines = [
        f"{result.name}: {found.pulls:,} pulls, {found.positives} {found.outcome}, "
        f"{found.since} to {found.until}; trained in {result.train_seconds:.0f} s, "
        f"judged in {result.evaluate_seconds:.0f} s"
    ]
    code = _code(found)
    named = {"": everything(found)} | ({} if code is None else {", code pulls": code})
    for outcome, part in found.questions.items():
        named[f", {outcome} alone"] = part
        if part.code_pulls is not None:
            named[f", {outcome} alone, code pulls"] = part.code_pulls
    for words, part in named.items():
        lines += _ranking(words, part)
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
    lines += _novelty(found.novelty, ISOLATION)
    for name, novelty in result.novelty_peers.items():
        lines += _novelty(novelty, name)
    if found.alarm:
        alarm = found.alarm
        lines.append(
            f"alarms at a rate of {alarm.rate:.3f}: {alarm.flagged:.3f} of later pulls, by the "
            f"blueprint's mean and two deviations {alarm.blueprint_flagged:.3f}"
        )
    return "\n".join(lines)


def _ranking(words: str, part: Part) -> list[str]:
    lines = []
    for figure in FIGURES:
        lines.append(f"\n{figure}{words}")
        for name, model in part.models.items():
            if figure in model.ranking:
                gap = part.differences.get(name, {}).get(figure)
                beside = f"   ours {interval_text(gap, sign='+')}" if gap else ""
                lines.append(f"  {name:20} {interval_text(model.ranking[figure])}{beside}")
    return lines


def _novelty(novelty: Novelty | None, peer: str) -> list[str]:
    if novelty is None:
        return []
    return [f"\nnovelty AUC of injected anomalies (ours, {peer}, difference)"] + [
        f"  {kind:28} {interval_text(novelty.ours[kind])}"
        f"  {interval_text(novelty.isolation_forest[kind])}"
        f"  {interval_text(novelty.difference[kind], sign='+')}"
        for kind in novelty.ours
    ]


if __name__ == "__main__":
    sys.exit(main())
