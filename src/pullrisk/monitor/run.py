"""One look at a model: drift of features and scores, outcomes, freshness; and what is alarming."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Float32, Float64, Int8, Int32, Int64
from pullrisk.errors import NotEnoughDataError
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import Answer
from pullrisk.model.reference import SCORES
from pullrisk.monitor import outcomes
from pullrisk.monitor.drift import Drift, compare
from pullrisk.monitor.findings import Alarm, Findings, Freshness
from pullrisk.monitor.outcomes import Matured, Window
from pullrisk.options import MonitorOptions
from pullrisk.progress import Progress
from pullrisk.pulls.store import day_of

_DAY: Final = 86_400_000_000
_NEVER: Final = np.iinfo(np.int64).min
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Pulls:
    """n merged pulls in event order within each repository: raw features x [n, d], repository
    codes [n], merges in µs [n], labels [n] (1, 0, or -1 where the outcome is not known yet).

    `outcome` says in words what the labels mean, `answer` which answer of a model is held against
    them.
    """

    repositories: tuple[str, ...]
    x: Float32
    codes: Int32
    merged_at: Int64
    labels: Int8
    outcome: str = "repaired or reverted"
    answer: Answer = "risk"


def monitor(
    bundle: Bundle,
    pulls: Pulls,
    *,
    now: datetime,
    options: MonitorOptions | None = None,
    progress: Progress,
) -> Findings:
    """Hold the pulls that are later than the model's training against what it learnt from.

    Raises NotEnoughDataError if there are no pulls at all.
    """
    if not len(pulls.merged_at):
        raise NotEnoughDataError("there are no pulls to monitor", hint="run `pullrisk preprocess`")
    options = options or MonitorOptions()
    until = bundle.metadata.facts.trained_until
    later = pulls.merged_at >= _moments(pulls, until)[pulls.codes]
    with progress.task("monitor", total=3, unit="steps") as task:
        risk, error, _ = bundle.raw(pulls.x)
        task.advance()
        drift, notes = _drift(bundle, pulls, later, (risk, error), options)
        task.advance()
        is_matured = later & (pulls.labels >= 0) & bundle.metadata.answers(pulls.answer)
        matured = Matured(
            bundle.probability(pulls.answer, pulls.x[is_matured]),
            pulls.labels[is_matured],
            pulls.codes[is_matured],
            pulls.merged_at[is_matured],
        )
        recent = outcomes.latest(matured, days=options.outcome_days)
        task.advance()
    freshness = _freshness(pulls, until, now)
    if recent is None:
        notes.append("no pull since the training has a known outcome yet: risk is not judged")
    return Findings(
        at=now,
        schema_hash=bundle.metadata.schema_hash,
        target=pulls.outcome,
        freshness=freshness,
        drift=drift,
        recent_outcomes=recent,
        outcomes=outcomes.rolling(matured),
        alarms=[
            *_drift_alarms(drift, options),
            *_outcome_alarms(recent, pulls.outcome, options),
            *_age_alarms(freshness, options),
        ],
        notes=notes,
    )


def _drift(
    bundle: Bundle,
    pulls: Pulls,
    later: Bools,
    scores: tuple[Float64, Float64],
    options: MonitorOptions,
) -> tuple[list[Drift], list[str]]:
    reference = bundle.metadata.reference
    if reference is None:
        return [], ["the model carries no reference for drift: train it again"]
    drifts, too_few = [], []
    for code, name in enumerate(pulls.repositories):
        rows = np.flatnonzero((pulls.codes == code) & later)
        if len(rows):
            rows = rows[pulls.merged_at[rows] > pulls.merged_at[rows].max() - options.days * _DAY]
        if len(rows) < options.least_pulls:
            too_few.append(name)
            continue
        values = np.column_stack([pulls.x[rows], *(score[rows] for score in scores)])
        merged_at = pulls.merged_at[rows]
        period = day_of(merged_at.min().item()), day_of(merged_at.max().item())
        drifts.append(compare(reference, name, values, period=period, options=options))
    notes = []
    if too_few:
        listed = ", ".join(too_few[:_NAMED]) + (
            f" and {len(too_few) - _NAMED} more" * (len(too_few) > _NAMED)
        )
        notes.append(
            f"fewer than {options.least_pulls} pulls of the last {options.days} days are later "
            f"than the training, so drift is not judged: {listed}"
        )
    return drifts, notes


def _drift_alarms(drifts: list[Drift], options: MonitorOptions) -> Iterator[Alarm]:
    for drift in drifts:
        features = [column for column in drift.columns if column.name not in SCORES]
        names = [column.name for column in features if column.drifted]
        share = len(names) / max(len(features), 1)
        if share > options.drifted_share:
            text = (
                f"{len(names)} of {len(features)} features of {drift.repository} have drifted: "
                f"{', '.join(names[:_NAMED])}{'…' if len(names) > _NAMED else ''}"
            )
            yield Alarm("features", drift.repository, share, options.drifted_share, text)
        for column in drift.columns:
            if column.name in SCORES and column.drifted:
                text = (
                    f"the {column.name} of {drift.repository} is distributed otherwise than before"
                )
                yield Alarm("scores", drift.repository, column.index, column.limit, text)


def _outcome_alarms(recent: Window | None, target: str, options: MonitorOptions) -> Iterator[Alarm]:
    if recent is None:
        return
    ratio, limit = recent.ratio, options.calibration_ratio
    if ratio.low > limit or ratio.high < 1 / limit:
        text = (
            f"{recent.positives} pull requests were {target} where the model expected "
            f"{recent.expected:.0f}: {ratio.value:.2f} times [{ratio.low:.2f}, {ratio.high:.2f}]"
        )
        yield Alarm("calibration", "all", ratio.value, limit, text)
    if recent.auc is not None and recent.auc.high < options.least_auc:
        auc = recent.auc
        text = (
            f"the risk ranks too badly: AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}] "
            f"within repositories"
        )
        yield Alarm("ranking", "all", auc.value, options.least_auc, text)


def _age_alarms(freshness: Freshness, options: MonitorOptions) -> Iterator[Alarm]:
    age, limit = freshness.data_age_days, options.data_age_days
    if age > limit:
        text = f"the latest merge is {age:.0f} days old: is `pullrisk fetch` running?"
        yield Alarm("data age", "all", age, limit, text)
    age, most = freshness.model_age_days, options.model_age_days
    if most is not None and age > most:
        text = f"the model's training data end {age:.0f} days ago"
        yield Alarm("model age", "all", age, most, text)


def _freshness(pulls: Pulls, until: dict[str, int], now: datetime) -> Freshness:
    moment = int(now.timestamp() * 1_000_000)
    ages = {
        name: (moment - int(pulls.merged_at[pulls.codes == code].max())) / _DAY
        for code, name in enumerate(pulls.repositories)
        if (pulls.codes == code).any()
    }
    trained = max(until.values(), default=moment)
    return Freshness(
        data_age_days=min(ages.values()),
        model_age_days=max(0.0, (moment - trained) / _DAY),
        repositories=ages,
    )


def _moments(pulls: Pulls, until: dict[str, int]) -> Int64:
    """The end of the training for each repository; one that is not known has none."""
    return np.array([until.get(name, _NEVER) for name in pulls.repositories], np.int64)
