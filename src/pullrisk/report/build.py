"""Gathers what stands on the report: charts, drivers, and the riskiest recent pulls."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pullrisk.brief.make import BriefMaker
from pullrisk.brief.result import ScoredPull
from pullrisk.model.bundle import Bundle
from pullrisk.pulls.outcomes import is_undo
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore
from pullrisk.report import charts
from pullrisk.report.charts import drivers
from pullrisk.report.page import Contents, Outcome, Riskiest
from pullrisk.report.patterns import pattern_map
from pullrisk.score.result import Score
from pullrisk.score.scorer import Scorer
from pullrisk.train.dataset import ANSWER_OF, MICROSECONDS_PER_DAY, UNKNOWN, Dataset
from pullrisk.train.evaluate import main_target
from pullrisk.train.evaluation import OUTCOMES, Evaluation

RECENT: Final = timedelta(days=180)
"""Before a repository's last event: how far back a pull counts as recent."""
READ: Final = 1_000
"""At most this many recent pulls, and as many open ones, of each repository are scored."""
SHOWN: Final = 24
LARGEST_PART: Final = 0.4
"""Share of the shown that one repository may fill: a troubled one must not hide the others."""

Key = tuple[str, int]


def build(
    *,
    scorer: Scorer,
    model: str,
    dataset: Dataset,
    evaluation: Evaluation,
    store: PullStore,
    now: datetime,
) -> Contents:
    """Everything of the page; `model` is the model's name for people."""
    bundle = scorer.bundle
    by_feature, by_family = drivers(bundle, dataset.x, dataset.repository, dataset.repositories)
    outcomes = _Outcomes(dataset)
    return Contents(
        generated_at=now,
        model=model,
        facts=bundle.metadata.facts,
        evaluation=evaluation,
        capture=charts.capture(evaluation),
        calibration=charts.calibration(evaluation),
        distribution=_distribution(bundle, dataset),
        drivers=by_feature,
        families=by_family,
        patterns=pattern_map(bundle, dataset),
        riskiest=[
            Riskiest(score, outcomes.of(score)) for score in riskiest_recent(scorer, store, now=now)
        ],
    )


def riskiest_recent(
    scorer: Scorer, store: PullStore, *, now: datetime, limit: int = SHOWN
) -> list[ScoredPull]:
    """The riskiest of every repository's recent and open pulls, with their briefs."""
    pulls = [pull for pull in recent(store) if not is_undo(pull)]
    scored = scorer.score(pulls, now=now)
    order = sorted(range(len(pulls)), key=lambda place: -_weight(scored[place]))
    most = math.ceil(limit * LARGEST_PART)
    taken: Counter[str] = Counter()
    chosen: list[Pull] = []
    rest: list[Pull] = []
    for pull in (pulls[place] for place in order):
        taken[pull.repository] += 1
        (chosen if taken[pull.repository] <= most else rest).append(pull)
    chosen += rest[: max(limit - len(chosen), 0)]
    return BriefMaker(scorer).scored(chosen[:limit], now=now)


def recent(store: PullStore) -> Iterator[Pull]:
    """The recently merged pulls of every repository, and its open ones."""
    for summary in store.repositories():
        name, last = summary.repository, summary.last_event_at
        yield from store.recent(repository=name, state="open", limit=READ)
        for pull in store.recent(repository=name, state="merged", limit=READ):
            if last and pull.merged_at and pull.merged_at >= last - RECENT:
                yield pull


def _weight(scored: Score) -> float:
    return scored.novelty / 1e3 if scored.risk is None else scored.risk


def _distribution(bundle: Bundle, dataset: Dataset) -> str | None:
    target = main_target(bundle, dataset)
    labels = dataset.labels(target)
    rows = dataset.since(bundle.metadata.facts.trained_until) & (labels != UNKNOWN)
    answer = ANSWER_OF[target]
    if not bundle.metadata.answers(answer) or not rows.any():
        return None
    risk = bundle.probability(answer, dataset.x[rows])
    return charts.distribution(risk, labels[rows], OUTCOMES.get(target, target))


class _Outcomes:
    """What became of the pulls of a dataset, by repository and number."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rows: dict[Key, int] = {
            (dataset.repositories[code], number): row
            for row, (code, number) in enumerate(
                zip(dataset.repository.tolist(), dataset.number.tolist(), strict=True)
            )
        }
        self._mature = dataset.mature

    def of(self, scored: Score) -> Outcome:
        row = self._rows.get((scored.repository, scored.number))
        if row is None:
            return Outcome("immature", "open" if scored.state == "open" else "not known")
        merged_at = int(self._dataset.merged_at[row])
        if self._dataset.reverted[row]:
            after = _after(int(self._dataset.reverted_at[row]) - merged_at)
            return Outcome("reverted", f"reverted {after}")
        if self._dataset.repaired[row]:
            after = _after(int(self._dataset.repaired_at[row]) - merged_at)
            return Outcome("repaired", f"needed a fix {after}")
        if self._mature[row]:
            known = self._dataset.written[row]
            return Outcome("clean", "no fix, not reverted" if known else "not reverted")
        return Outcome("immature", "too early to tell")


def _after(microseconds: int) -> str:
    days = microseconds / MICROSECONDS_PER_DAY
    if days < 1:
        return "the same day"
    return f"after {days:.0f} {'day' if round(days) == 1 else 'days'}"
