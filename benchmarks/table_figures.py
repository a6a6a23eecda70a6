"""Figures of the table benchmark: AUC, average precision, recall at 20 % of the effort."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Float64
from pullrisk.train.evaluation import Interval
from pullrisk.train.figures import interval
from pullrisk.train.metrics import (
    average_precision,
    bootstrap_weights,
    pooled_auc,
    within_auc,
)
from pulls_data import interval_text
from table_models import OURS, Scores
from table_reading import Table

MEAN: Final = "mean of jit"
TARGET: Final = 0.774
SIZE: Final = "lines added"
CONSTANT: Final = "a constant"
PUBLISHED: Final[Mapping[str, Mapping[str, float]]] = {
    "gerrit": {"LApredict": 0.750, "DeepJIT": 0.703, "CC2Vec": 0.699, "LR-JIT": 0.657},
    "go": {"LApredict": 0.683, "DeepJIT": 0.689, "CC2Vec": 0.692, "LR-JIT": 0.675},
    "openstack": {"LApredict": 0.749, "DeepJIT": 0.713, "CC2Vec": 0.723, "LR-JIT": 0.725},
    "platform": {"LApredict": 0.746, "DeepJIT": 0.771, "CC2Vec": 0.761, "LR-JIT": 0.640},
}
"""AUC within a project on the same split (Zeng et al., ISSTA 2021)."""
_RESAMPLES: Final = 300
_EFFORT: Final = 0.2


class Row(msgspec.Struct, frozen=True):
    """One model on one table; `behind` is ours minus it, `recall` is at 20 % of the effort."""

    auc: Interval
    average_precision: Interval
    behind: Interval | None
    within: Interval | None
    recall: float | None
    seconds: float


class Result(msgspec.Struct, frozen=True):
    """Every model on one table's later rows; `draws` are the AUCs of its resamples."""

    name: str
    learnt: int
    judged: int
    positives: int
    rows: dict[str, Row]
    published: Mapping[str, float]
    draws: dict[str, Float64]

    @property
    def missed(self) -> bool:
        """Whether our AUC misses the target or is not ahead of every other model's."""
        value = self.rows[OURS].auc.value or 0.0
        others = (row.auc.value or 0.0 for name, row in self.rows.items() if name != OURS)
        return value < TARGET or any(other >= value for other in others)

    def plain(self) -> dict[str, Any]:
        """Without the draws, for JSON."""
        fields: dict[str, Any] = msgspec.to_builtins(
            {"name": self.name, "learnt": self.learnt, "judged": self.judged, "rows": self.rows,
             "positives": self.positives, "published": dict(self.published)}
        )  # fmt: skip
        return fields


def judge(
    table: Table,
    scores: Mapping[str, Sequence[Scores]],
    seconds: Mapping[str, float],
    *,
    learnt: int,
) -> Result:
    """Judge each model's scores [n], one for each seed, on the labelled rows of `table`."""
    n, labels = len(table), table.labels
    everyone = {**scores, **_plain(table)}
    seed = sum(table.name.encode())  # another bootstrap for each table
    weights = bootstrap_weights(n, resamples=_RESAMPLES, seed=seed)
    aucs = {name: _mean(pooled_auc, runs, labels, weights) for name, runs in everyone.items()}
    rows = {
        name: Row(
            auc=interval(aucs[name]),
            average_precision=interval(_mean(average_precision, runs, labels, weights)),
            behind=None if name == OURS else _behind(aucs, name),
            within=_within(runs, table, weights),
            recall=_recall(runs, table),
            seconds=seconds.get(name, 0.0),
        )
        for name, runs in everyone.items()
    }
    positives = int(labels.sum())
    published = PUBLISHED.get(table.name, {})
    return Result(table.name, learnt, n, positives, rows, published, aucs)


def mean_of(results: Sequence[Result]) -> Result:
    """The mean AUC over tables, with the interval of independent resamples."""
    names = list(results[0].rows)
    draws = {name: np.mean([result.draws[name] for result in results], axis=0) for name in names}
    empty = Interval(None)
    rows = {
        name: Row(
            auc=interval(draws[name]),
            average_precision=empty,
            behind=None if name == OURS else _behind(draws, name),
            within=None,
            recall=None,
            seconds=sum(result.rows[name].seconds for result in results),
        )
        for name in names
    }
    papers = results[0].published
    published = {
        paper: float(np.mean([result.published[paper] for result in results])) for paper in papers
    }
    return Result(
        MEAN,
        learnt=sum(result.learnt for result in results),
        judged=sum(result.judged for result in results),
        positives=sum(result.positives for result in results),
        rows=rows,
        published=published,
        draws=draws,
    )


def text(result: Result) -> str:
    """The result as a table, ours first."""
    lines = [
        f"{result.name}: learnt from {result.learnt:,} rows, judged on {result.judged:,}, "
        f"{result.positives:,} of them positive",
        f"  {'':22}{'AUC':23}{'average precision':23}{'ours minus it':26}"
        f"{'within projects':16}{'recall@20%':12}seconds",
    ]
    for name, row in result.rows.items():
        within = f"{row.within.value:.3f}" if row.within and row.within.value else "-"
        caught = "-" if row.recall is None else f"{row.recall:.3f}"
        lines.append(
            f"  {name:22}{interval_text(row.auc):23}{interval_text(row.average_precision):23}"
            f"{interval_text(row.behind, sign='+'):26}{within:16}{caught:12}{row.seconds:.1f}"
        )
    lines += [f"  {name:22}{auc:.3f} (published)" for name, auc in result.published.items()]
    return "\n".join(lines)


def _plain(table: Table) -> dict[str, list[Scores]]:
    """What needs no learning: lines added alone (LApredict), and the same score for all."""
    lines = {} if table.effort is None else {SIZE: [table.effort[:, 0]]}
    return {**lines, CONSTANT: [np.zeros(len(table))]}


def _mean(
    figure: Any,  # noqa: ANN401  (any figure of merit)
    runs: Sequence[Scores],
    labels: NDArray[np.int8],
    weights: Float64,
) -> Float64:
    return np.asarray(np.mean([figure(scores, labels, weights) for scores in runs], axis=0))


def _behind(draws: Mapping[str, Float64], name: str) -> Interval | None:
    return interval(draws[OURS] - draws[name]) if OURS in draws else None


def _within(runs: Sequence[Scores], table: Table, weights: Float64) -> Interval | None:
    if table.project.max(initial=0) == 0:
        return None
    only = weights[:1]
    weighted = [within_auc(scores, table.labels, table.project, only)[1] for scores in runs]
    return interval(np.mean(weighted, axis=0))


def _recall(runs: Sequence[Scores], table: Table) -> float | None:
    """Recall@20%Effort: the ones caught when rows are read by score for their size, 20 % of all."""
    if table.effort is None:
        return None
    size = table.effort.sum(axis=1) + 1.0
    return float(np.mean([_caught(_rank(scores) / size, table) for scores in runs]))


def _rank(scores: Scores) -> Scores:
    """Scores as numbers above zero in the same order, the same for equal ones."""
    _, place = np.unique(scores, return_inverse=True)
    return np.asarray((place + 1.0) / (place.max() + 1.0), np.float64)


def _caught(density: Scores, table: Table) -> float:
    assert table.effort is not None
    order = np.argsort(-density, kind="stable")
    spent = np.cumsum(table.effort[order].sum(axis=1))
    seen = order[spent <= _EFFORT * spent[-1]]
    return float(table.labels[seen].sum() / max(1, table.labels.sum()))
