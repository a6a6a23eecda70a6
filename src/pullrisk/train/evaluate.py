"""Judging a bundle on pulls it has not seen, beside the baselines, with intervals."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from pullrisk.model.bundle import Bundle
from pullrisk.progress import Progress
from pullrisk.pulls.store import day_of
from pullrisk.train import breakdowns, figures
from pullrisk.train.baselines import (
    ISOLATION,
    Past,
    Scorer,
    isolation_forest,
    learners,
    line_counters,
)
from pullrisk.train.dataset import ANSWER_OF, TARGET_OF, Dataset, Target
from pullrisk.train.evaluation import OURS, Evaluation, Novelty, Operating, Part, Reconstruction
from pullrisk.train.figures import judge_categories
from pullrisk.train.judged import Judged, Windows
from pullrisk.train.novelty import Detector, Injected, judge_alarm, judge_novelty

T = TypeVar("T")
RESAMPLES: Final = 300
_SEED: Final = 20_240_601


@dataclass(frozen=True, slots=True)
class Options:
    """How to evaluate: only pulls merged at or after `since`, how many bootstrap resamples.

    `target` is the outcome that counts, the default that of `main_target`; `baselines` says
    whether to train them, `threads` how many cores they use, `false_alarms` at which share of
    recent pulls novelty raises an alarm.
    """

    since: datetime | None = None
    target: Target | None = None
    baselines: bool = True
    resamples: int = RESAMPLES
    seed: int = _SEED
    threads: int = 1
    false_alarms: float = 0.02


class Peers:
    """What models are judged beside on one dataset: baselines and anomalies.

    They follow from a model's windows, not from the model, so they are kept for the next one that
    is judged on the same.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returned when it was first called for this key."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made


def evaluate(
    bundle: Bundle,
    dataset: Dataset,
    *,
    injected: Injected | None = None,
    options: Options | None = None,
    peers: Peers | None = None,
    progress: Progress,
) -> Evaluation:
    """Judge a bundle on the pulls after its own training, of any repository.

    A repository that the model was not trained on is test data as a whole. Baselines are
    trained on the rows that the bundle was trained and tuned on; `peers` has those of models that
    were judged before. Raises NotEnoughDataError where no pull lies in the test window.
    """
    options, peers = options or Options(), peers or Peers()
    target = options.target or main_target(bundle, dataset)
    windows = Windows.of(bundle, dataset, options.since)
    others = [outcome for outcome in TARGET_OF.values() if outcome != target]
    drawn = {"resamples": options.resamples, "seed": options.seed}
    seen = windows.key, options

    def learnt(outcome: Target) -> dict[str, Scorer]:
        return peers.once(
            (outcome, *seen), lambda: _learners(bundle, dataset, windows, options, outcome)
        )

    with progress.task("evaluate", total=4 + len(others), unit="steps") as task:
        forest = peers.once((ISOLATION, *seen), lambda: _forest(dataset, windows, options))
        task.advance()
        isolation = {ISOLATION: forest} if forest else {}
        judged = _judged(bundle, dataset, windows, target, isolation | learnt(target))
        task.advance()
        everything = judged.compared(**drawn)
        task.advance()
        questions: dict[str, Part] = {}
        for outcome in others:
            if _ours(bundle, outcome):
                part = _judged(bundle, dataset, windows, outcome, learnt(outcome)).compared(**drawn)
                questions |= {outcome: part} if part.models else {}
            task.advance()
        novelty = _novelty(bundle, injected, dataset, windows, forest, options)
        task.advance()
    later = dataset.take(windows.test)
    risk = judged.scores.get(OURS)
    ours = (risk, judged.labels) if risk is not None and judged.labels.any() else None
    return Evaluation(
        target=target,
        pulls=len(judged.labels),
        positives=int((judged.labels == 1).sum()),
        immature=int((windows.test & dataset.example & ~dataset.mature).sum()),
        since=day_of(later.merged_at.min().item()),
        until=day_of(later.merged_at.max().item()),
        models=everything.models,
        differences=everything.differences,
        code_pulls=everything.code_pulls,
        questions=questions,
        bands=_bands(bundle, dataset, judged) if ours else {},
        probability=figures.probability(*ours) if ours else None,
        capture=figures.capture(*ours, judged.groups) if ours else None,
        reconstruction=_reconstruction(bundle, dataset, windows),
        novelty=novelty,
        alarm=judge_alarm(bundle, dataset.x[windows.past], later, rate=options.false_alarms),
        repositories=figures.by_repository(
            risk, judged.labels, judged.groups, dataset.repositories
        ),
        segments=breakdowns.segments(dataset, judged, **drawn) if ours else [],
        costs=breakdowns.costs(judged, **drawn) if ours else [],
        notes=_notes(bundle, judged),
        categories=judge_categories(bundle, dataset, windows.test, **drawn),
    )


def _judged(
    bundle: Bundle,
    dataset: Dataset,
    windows: Windows,
    target: Target,
    baselines: dict[str, Scorer],
) -> Judged:
    """The later pulls whose outcome is known, scored by the model, counters and baselines."""
    scorers = _ours(bundle, target) | line_counters(dataset.names) | baselines
    return Judged.of(dataset, windows.test, scorers, target)


def _learners(
    bundle: Bundle, dataset: Dataset, windows: Windows, options: Options, target: Target
) -> dict[str, Scorer]:
    """The baselines that learn from labels, on the rows that the bundle learnt from."""
    rows = windows.past
    if not options.baselines or not rows.any():
        return {}
    labels = dataset.labels(target, known_at=windows.until, learning=True)
    past = Past(dataset.x[rows], labels[rows], windows.validation[rows])
    return learners(past, bundle.metadata.features, seed=options.seed, threads=options.threads)


def _forest(dataset: Dataset, windows: Windows, options: Options) -> Scorer | None:
    """IsolationForest, which needs no labels; None without baselines."""
    if not options.baselines or not windows.past.any():
        return None
    return isolation_forest(dataset.x[windows.past], seed=options.seed, threads=options.threads)


def main_target(bundle: Bundle, dataset: Dataset) -> Target:
    """The outcome that a model is judged by: `reverted` also where it has no answer to repairs."""
    return dataset.main_target if bundle.metadata.repair_available else "reverted"


def _ours(bundle: Bundle, target: Target) -> dict[str, Scorer]:
    """The model's answer to what `target` asks, by its name; empty if it has none."""
    answer = ANSWER_OF[target]
    has = bundle.metadata.answers(answer)
    return {OURS: partial(bundle.probability, answer)} if has else {}


def _bands(bundle: Bundle, dataset: Dataset, judged: Judged) -> dict[str, Operating]:
    """How the model's own bands do; those of a repository are its own shares."""
    risk = bundle.raw(dataset.x[judged.rows])[0]
    bands = np.full(len(risk), "low", dtype="<U8")
    for code in np.unique(judged.groups).tolist():
        own = judged.groups == code
        bands[own] = bundle.bands(risk[own], dataset.repositories[code])
    return figures.bands(bands, judged.labels)


def _novelty(
    bundle: Bundle,
    injected: Injected | None,
    data: Dataset,
    windows: Windows,
    forest: Scorer | None,
    options: Options,
) -> Novelty | None:
    if injected is None or not len(injected.normal):
        return None
    recent = windows.validation if windows.validation.any() else windows.past
    peer = Detector.of(forest, data.take(recent)) if forest else None
    return judge_novelty(bundle, injected, peer, resamples=options.resamples, seed=options.seed)


def _reconstruction(bundle: Bundle, dataset: Dataset, windows: Windows) -> Reconstruction:
    test = bundle.raw(dataset.x[windows.test])[1]
    seen = bundle.raw(dataset.x[windows.past])[1] if windows.past.any() else np.array([np.nan])
    return Reconstruction(*(float(f(e)) for e in (seen, test) for f in (np.mean, np.median)))


def _notes(bundle: Bundle, judged: Judged) -> list[str]:
    notes = []
    if not bundle.metadata.risk_available:
        notes.append("the model has no risk: it was trained with too few matured positives")
    if not judged.both_classes:
        notes.append("the test window has matured pulls of one class only: nothing to rank")
    return notes
