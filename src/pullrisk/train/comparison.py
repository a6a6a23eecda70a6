"""Two models on the same pulls: figures of each, and their paired difference with intervals.

What a model says of its test window is kept with its run: a later installation may compute other
features, which the old model cannot read, and can still compare what it said.
"""

from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float64, Int8, Int32, Int64
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import QUESTIONS, Answer
from pullrisk.pulls.store import day_of
from pullrisk.train import figures, metrics
from pullrisk.train.dataset import ANSWER_OF, UNKNOWN, Dataset, Target
from pullrisk.train.evaluate import RESAMPLES
from pullrisk.train.evaluation import Interval
from pullrisk.train.metrics import bootstrap_weights
from pullrisk.train.ranking import like_size, ranking_figures, sizes

BRIER: Final = "brier"
_SEED: Final = 20_240_602
Answers = Callable[[Dataset, Target], Float64]
"""The probability of the target for each pull of a dataset, [n]; NaN where the model gives none or
saw the pull.
"""


class PairedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on matured pulls that neither saw; `difference` is the first minus the second.

    The figures are empty if the window holds pulls of one class only.
    """

    target: str
    pulls: int
    positives: int
    repositories: int
    since: str | None
    until: str | None
    first: dict[str, Interval]
    second: dict[str, Interval]
    difference: dict[str, Interval]


def by_bundle(bundle: Bundle) -> Answers:
    """Answers of a model that can be run."""

    def answers(dataset: Dataset, target: Target) -> Float64:
        known = np.full(len(dataset), np.nan)
        rows, answer = dataset.since(bundle.metadata.facts.trained_until), ANSWER_OF[target]
        if bundle.metadata.answers(answer) and rows.any():
            known[rows] = bundle.probability(answer, dataset.x[rows])
        return known

    return answers


def by_record(data: bytes) -> Answers:
    """Answers that a model gave when it was trained, for pulls that it had not seen."""
    return lambda dataset, target: recorded_answer(data, dataset, ANSWER_OF[target])


def compare(
    first: Answers,
    second: Answers,
    dataset: Dataset,
    *,
    target: Target,
    since: datetime | None = None,
    resamples: int = RESAMPLES,
) -> PairedComparison:
    """Judge both on the matured pulls for which both have an answer."""
    labels = dataset.labels(target)
    answers = first(dataset, target), second(dataset, target)
    rows = (labels != UNKNOWN) & ~np.isnan(answers[0]) & ~np.isnan(answers[1])
    if since is not None:
        rows &= dataset.merged_at >= int(since.timestamp() * 1_000_000)
    labels, groups = labels[rows], dataset.repository[rows]
    merged, size = dataset.merged_at[rows], sizes(dataset)
    like = None if size is None else like_size(groups, size[rows])
    drawn: tuple[dict[str, Float64], ...] = ({}, {})
    if (labels == 1).any() and (labels == 0).any():
        weights = bootstrap_weights(len(labels), resamples=resamples, seed=_SEED)
        drawn = tuple(_draws(risk[rows], labels, groups, weights, like) for risk in answers)
    return PairedComparison(
        target=target,
        pulls=len(labels),
        positives=int((labels == 1).sum()),
        repositories=len(np.unique(groups)),
        since=day_of(merged.min().item()) if len(merged) else None,
        until=day_of(merged.max().item()) if len(merged) else None,
        first={name: figures.interval(values) for name, values in drawn[0].items()},
        second={name: figures.interval(values) for name, values in drawn[1].items()},
        difference={name: figures.interval(drawn[0][name] - drawn[1][name]) for name in drawn[0]},
    )


def _draws(
    risk: Float64, labels: Int8, groups: Int32, weights: Float64, like: Int64 | None
) -> dict[str, Float64]:
    ranking = ranking_figures(risk, labels, groups, weights, like)
    return {**ranking, BRIER: metrics.brier(risk, labels, weights)}


_KEYS: Final = ("repository", "number")
_ANSWERS: Final[tuple[Answer, ...]] = ("risk", *QUESTIONS)


def record_predictions(bundle: Bundle, dataset: Dataset) -> bytes | None:
    """The answers for every pull that the bundle never saw, as Parquet; None without a risk.

    Pulls too young for a label are in it: they mature.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = dataset.since(bundle.metadata.facts.trained_until)
    if not bundle.metadata.risk_available or not rows.any():
        return None
    names = pa.array(dataset.repositories, pa.string())
    keys = (
        pa.DictionaryArray.from_arrays(pa.array(dataset.repository[rows]), names),
        pa.array(dataset.number[rows]),
    )
    answers: dict[str, pa.Array] = {
        answer: pa.array(bundle.probability(answer, dataset.x[rows]).astype(np.float32))
        for answer in _ANSWERS
        if bundle.metadata.answers(answer)
    }
    buffer = BytesIO()
    columns: dict[str, pa.Array] = {**dict(zip(_KEYS, keys, strict=True)), **answers}
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def recorded_answer(data: bytes, dataset: Dataset, answer: Answer) -> Float64:
    """The recorded answer for each pull of a dataset, [n]; NaN where none was recorded.

    Models of earlier versions answered for reverts alone, and recorded that as their risk.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(BytesIO(data))
    early = answer == "revert" and not {*QUESTIONS} & {*table.column_names}
    column = "risk" if early else answer
    if column not in table.column_names:
        return np.full(len(dataset), np.nan)
    columns = (table[name].to_pylist() for name in (*_KEYS, column))
    recorded = {(name, number): value for name, number, value in zip(*columns, strict=True)}
    names = dataset.repositories
    pulls = zip(dataset.repository.tolist(), dataset.number.tolist(), strict=True)
    return np.array(
        [recorded.get((names[code], number), np.nan) for code, number in pulls], np.float64
    )
