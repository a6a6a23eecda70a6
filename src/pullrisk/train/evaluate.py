"""Judging a bundle on pulls it has not seen, beside the baselines, with intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import NotEnoughDataError
from pullrisk.model.bundle import Bundle
from pullrisk.progress import Progress
from pullrisk.train import breakdowns, figures
from pullrisk.train.baselines import (
    Past,
    Scorer,
    isolation_forest,
    line_counters,
    risk_baselines,
)
from pullrisk.train.dataset import ANSWER_OF, TARGET_OF, UNKNOWN, Dataset, Target
from pullrisk.train.evaluation import (
    OURS,
    Evaluation,
    Figures,
    Novelty,
    Part,
    Reconstruction,
)
from pullrisk.train.figures import judge_categories
from pullrisk.train.metrics import Floats, poisson_weights
from pullrisk.train.novelty import Detector, Injected, judge_alarm, judge_novelty
from pullrisk.train.ranking import ranking_figures
from pullrisk.train.sizes import code_pulls, like_size, sizes

RESAMPLES: Final = 300
_SEED: Final = 20_240_601
_FIRST: Final = np.iinfo(np.int64).min


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


def evaluate(
    bundle: Bundle,
    dataset: Dataset,
    *,
    injected: Injected | None = None,
    options: Options | None = None,
    progress: Progress,
) -> Evaluation:
    """Judge a bundle on the pulls after its own training, of any repository.

    A repository that the model was not trained on is test data as a whole. Baselines are
    trained on the rows that the bundle was trained and tuned on. Raises NotEnoughDataError
    where no pull lies in the test window.
    """
    options = options or Options()
    target = options.target or main_target(bundle, dataset)
    windows = _Windows.of(bundle, dataset, options, target)
    total = 5 + (4 if options.baselines else 0)
    with progress.task("evaluate", total=total, unit="steps") as task:
        task.advance()
        scorers = _scorers(bundle, dataset, windows, options, target)
        task.advance(4 if options.baselines else 0)
        judged = _Judged.of(bundle, dataset, windows, scorers, target)
        task.advance()
        everything, code = _compare(judged, options)
        task.advance(2)
        novelty = _novelty(bundle, injected, dataset, windows, options)
        task.advance()
    later = dataset.take(windows.test)
    risk = judged.scores.get(OURS)
    ours = (risk, judged.labels) if risk is not None and judged.labels.any() else None
    parts = breakdowns.Judged.of(dataset, judged.rows, *ours) if ours else None
    drawn = {"resamples": options.resamples, "seed": options.seed}
    return Evaluation(
        target=target,
        pulls=len(judged.labels),
        positives=int((judged.labels == 1).sum()),
        immature=int((windows.test & dataset.example & ~dataset.mature).sum()),
        since=_day(dataset.merged_at[windows.test].min()),
        until=_day(dataset.merged_at[windows.test].max()),
        models=everything.models,
        differences=everything.differences,
        code_pulls=code,
        questions=dict(_questions(bundle, dataset, windows, target, options)),
        bands=figures.bands(judged.bands, judged.labels) if ours else {},
        probability=figures.probability(*ours) if ours else None,
        capture=figures.capture(*ours, judged.groups) if ours else None,
        reconstruction=_reconstruction(bundle, dataset, windows),
        novelty=novelty,
        alarm=judge_alarm(bundle, dataset.x[windows.past], later, rate=options.false_alarms),
        repositories=figures.by_repository(
            risk, judged.labels, judged.groups, dataset.repositories
        ),
        segments=breakdowns.segments(parts, **drawn) if parts else [],
        costs=breakdowns.costs(parts, **drawn) if parts else [],
        notes=_notes(bundle, judged),
        categories=judge_categories(bundle, dataset, windows.test, **drawn),
    )


@dataclass(frozen=True, slots=True)
class _Windows:
    """Masks over the dataset [n]: what the bundle learnt from, what it may be judged on."""

    past: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    past_labels: NDArray[np.int8]

    @classmethod
    def of(cls, bundle: Bundle, dataset: Dataset, options: Options, target: Target) -> "_Windows":
        facts = bundle.metadata.facts
        until = _moments(dataset, facts.trained_until)
        moment, code = dataset.merged_at, dataset.repository
        past = moment < until[code]
        test = ~past
        if options.since is not None:
            test &= moment >= int(options.since.timestamp() * 1_000_000)
        if not test.any():
            raise NotEnoughDataError(
                "no pull was merged after the model's training and the given date",
                hint="fetch newer pulls, or give an earlier --since",
            )
        later = moment >= _moments(dataset, facts.validation_from)[code]
        labels = dataset.labels(target, known_at=until, learning=True)
        return cls(past, past & later, test, labels)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Labelled test pulls, `rows` of n: labels, repositories, bands [m], every model's scores.

    `like` [m] is the same for pulls of like size, `code` [m] tells which change code; None where
    that is unknown.
    """

    rows: NDArray[np.bool_]
    labels: NDArray[np.int8]
    groups: NDArray[np.int32]
    like: NDArray[np.int64] | None
    code: NDArray[np.bool_] | None
    bands: NDArray[np.str_]
    scores: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        dataset: Dataset,
        windows: _Windows,
        scorers: Mapping[str, Scorer],
        target: Target,
    ) -> "_Judged":
        labels = dataset.labels(target)
        rows = windows.test & (labels != UNKNOWN)
        x, groups = dataset.x[rows], dataset.repository[rows]
        none = np.empty(0)  # scikit-learn refuses to score no rows
        scores = {name: scorer(x) if len(x) else none for name, scorer in scorers.items()}
        bands = np.full(len(x), "low", dtype="<U8")
        if bundle.metadata.risk_available and len(x):
            risk = bundle.raw(x)[0]
            for code in np.unique(groups).tolist():
                own = groups == code
                bands[own] = bundle.bands(risk[own], dataset.repositories[code])
        size, code = sizes(dataset), code_pulls(dataset)
        like = None if size is None else like_size(groups, size[rows])
        code = None if code is None else code[rows]
        return cls(rows, labels[rows], groups, like, code, bands, scores)

    @property
    def both_classes(self) -> bool:
        """Whether there is anything to rank."""
        return bool((self.labels == 1).any() and (self.labels == 0).any())


def _scorers(
    bundle: Bundle, dataset: Dataset, windows: _Windows, options: Options, target: Target
) -> dict[str, Scorer]:
    scorers = _ours(bundle, target)
    if options.baselines and windows.past.any():
        rows = windows.past
        past = Past(dataset.x[rows], windows.past_labels[rows], windows.validation[rows])
        features = bundle.metadata.features
        scorers |= risk_baselines(past, features, seed=options.seed, threads=options.threads)
    return scorers


def main_target(bundle: Bundle, dataset: Dataset) -> Target:
    """The outcome that a model is judged by: `reverted` also where it has no answer to repairs."""
    return dataset.main_target if bundle.metadata.repair_available else "reverted"


def _ours(bundle: Bundle, target: Target) -> dict[str, Scorer]:
    """The model's answer to what `target` asks, by its name; empty if it has none."""
    answer = ANSWER_OF[target]
    has = bundle.metadata.answers(answer)
    return {OURS: partial(bundle.probability, answer)} if has else {}


def _questions(
    bundle: Bundle, dataset: Dataset, windows: _Windows, target: Target, options: Options
) -> Iterator[tuple[str, Part]]:
    """The figures of each answer on its own outcome, beside those that count lines."""
    for outcome in TARGET_OF.values():
        scorers = _ours(bundle, outcome)
        if outcome != target and scorers:
            scorers |= line_counters(dataset.names)
            judged = _Judged.of(bundle, dataset, windows, scorers, outcome)
            part, _ = _compare(judged, options)
            if part.models:
                yield outcome, part


def _compare(judged: _Judged, options: Options) -> tuple[Part, Part | None]:
    """Every model's figures on all the pulls, and on those that change code."""
    everything = np.ones(len(judged.labels), bool)
    if not judged.both_classes:
        return _part(judged, everything, np.empty((0, len(everything)))), None
    weights = _weights(len(everything), options)
    code = None if judged.code is None else _part(judged, judged.code, weights)
    return _part(judged, everything, weights), code


def _part(judged: _Judged, rows: NDArray[np.bool_], weights: Floats) -> Part:
    """Every model's figures on some rows [m], and ours minus each baseline's on the same
    resamples: `weights` [b, m].
    """
    labels, groups = judged.labels[rows], judged.groups[rows]
    like = None if judged.like is None else judged.like[rows]
    positives = int((labels == 1).sum())
    if positives in (0, len(labels)):
        return Part(pulls=len(labels), positives=positives, models={}, differences={})
    own = weights if rows.all() else np.take(weights, np.flatnonzero(rows), axis=1)
    scores = {name: each[rows] for name, each in judged.scores.items()}
    draws = {
        name: ranking_figures(each, labels, groups, own, like) for name, each in scores.items()
    }
    models = {
        name: Figures(
            {figure: figures.interval(values) for figure, values in drawn.items()},
            figures.top_shares(scores[name], labels, groups),
        )
        for name, drawn in draws.items()
    }
    differences = {
        name: {key: figures.interval(draws[OURS][key] - drawn[key]) for key in drawn}
        for name, drawn in draws.items()
        if OURS in draws and name != OURS
    }
    return Part(pulls=len(labels), positives=positives, models=models, differences=differences)


def _weights(n: int, options: Options) -> Floats:
    """All ones, for the plain figure, and then the resamples."""
    drawn = poisson_weights(n, resamples=options.resamples, seed=options.seed)
    return np.vstack([np.ones(n), drawn])


def _novelty(
    bundle: Bundle, injected: Injected | None, data: Dataset, windows: _Windows, options: Options
) -> Novelty | None:
    if injected is None or not len(injected.normal):
        return None
    peer = None
    if options.baselines and windows.past.any():
        forest = isolation_forest(data.x[windows.past], seed=options.seed, threads=options.threads)
        recent = windows.validation if windows.validation.any() else windows.past
        peer = Detector.of(forest, data.take(recent))
    return judge_novelty(bundle, injected, peer, resamples=options.resamples, seed=options.seed)


def _reconstruction(bundle: Bundle, dataset: Dataset, windows: _Windows) -> Reconstruction:
    test = bundle.raw(dataset.x[windows.test])[1]
    seen = bundle.raw(dataset.x[windows.past])[1] if windows.past.any() else np.array([np.nan])
    return Reconstruction(*(float(f(e)) for e in (seen, test) for f in (np.mean, np.median)))


def _moments(dataset: Dataset, known: Mapping[str, int]) -> NDArray[np.int64]:
    """One moment for each repository; a repository that is not known has no past at all."""
    return np.array([known.get(name, _FIRST) for name in dataset.repositories], np.int64)


def _notes(bundle: Bundle, judged: _Judged) -> list[str]:
    notes = []
    if not bundle.metadata.risk_available:
        notes.append("the model has no risk: it was trained with too few matured positives")
    if not judged.both_classes:
        notes.append("the test window has matured pulls of one class only: nothing to rank")
    return notes


def _day(moment: np.int64) -> str:
    return datetime.fromtimestamp(int(moment) / 1e6, UTC).date().isoformat()
