"""What became of a repository's pulls, and how well the model's answers foresaw it.

Each pull is scored with what was known just before its merge, by the model that is loaded now, and
only pulls that are later than its training judge it.
"""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features import NAMES
from pullrisk.model.bundle import Bundle
from pullrisk.monitor.findings import Findings
from pullrisk.monitor.outcomes import Interval, Matured, Window, judge, wilson
from pullrisk.monitor.run import Pulls, monitor
from pullrisk.progress import Silent
from pullrisk.serve.service import Service
from pullrisk.train.dataset import ANSWER_OF, UNKNOWN, Dataset

if TYPE_CHECKING:
    import pyarrow as pa

RISKIEST: Final = 0.1
"""The share of the judged pulls that is looked at first."""
LEAST_PULLS: Final = 50
"""Judged pulls from which on figures mean something."""
QUARTERS: Final = 16
"""Quarters of a year that are shown, the latest."""
LEAST_IN_QUARTER: Final = 20
"""Matured pulls from which on a quarter is shown: the shares of fewer mean nothing."""
_NEVER: Final = -(2**62)
_KEPT: Final = 32
"""Repositories whose figures stay in memory."""
_COLUMNS: Final = ("repository", "number", "merged_at", "example", "links")


class Quarter(msgspec.Struct, frozen=True):
    """The matured pulls of a quarter of a year; a share is None if nobody knows it of any pull."""

    name: str
    pulls: int
    repaired: Interval | None
    reverted: Interval | None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers fared on the pulls of `window`.

    `caught` is the share of those that went wrong in the riskiest tenth, `precision` the share of
    that tenth that went wrong. `seen` says that the model learnt from these very pulls, since too
    few are later than its training: then all of it flatters.
    """

    window: Window
    riskiest: int
    caught: Interval | None
    precision: Interval
    seen: bool


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one repository; `judged` is None if too few pulls can judge the model."""

    quarters: list[Quarter]
    judged: Performance | None
    findings: Findings


class FiguresCache:
    """Figures by repository, as of the lake's version and the model of a service."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Figures | None] = OrderedDict()

    async def get(self, service: Service, repository: str) -> Figures | None:
        """The figures, None if the lake has no pull of it. Raises LakeError."""
        lake, model = service.dependencies.lake, service.loaded
        key = repository, lake.version, model.version
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        table = await service.from_lake(
            lambda: lake.table([*_COLUMNS, *NAMES], repository=repository)
        )
        figures = await asyncio.to_thread(figures_of, table, model.bundle)
        self._kept[key] = figures
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return figures


def figures_of(table: "pa.Table", bundle: Bundle) -> Figures | None:
    """The figures of one repository's rows of the lake; None without a row."""
    if not table.num_rows:
        return None
    data = Dataset.from_table(table, NAMES, maturity_days=bundle.metadata.facts.maturity_days)
    target = data.main_target
    pulls = Pulls(
        data.repositories,
        data.x,
        data.repository,
        data.merged_at,
        data.labels(target),
        answer=ANSWER_OF[target],
    )
    return Figures(
        quarters=_quarters(data),
        judged=_judged(bundle, pulls),
        findings=monitor(bundle, pulls, now=datetime.now(UTC), progress=Silent()),
    )


def _judged(bundle: Bundle, pulls: Pulls) -> Performance | None:
    """On the pulls later than the training; if they are too few, on the latest quarter of all."""
    until = bundle.metadata.facts.trained_until.get(pulls.repositories[0], _NEVER)
    matured = np.flatnonzero(pulls.labels != UNKNOWN)
    rows = matured[pulls.merged_at[matured] >= until]
    seen = len(rows) < LEAST_PULLS
    if seen:
        rows = matured[len(matured) - len(matured) // 4 :]
    if len(rows) < LEAST_PULLS or not bundle.metadata.answers(pulls.answer):
        return None
    risk, labels = bundle.probability(pulls.answer, pulls.x[rows]), pulls.labels[rows]
    first = max(1, round(RISKIEST * len(rows)))
    hits = int(labels[np.argsort(-risk, kind="stable")[:first]].sum())
    return Performance(
        window=judge(Matured(risk, labels, pulls.codes[rows], pulls.merged_at[rows])),
        riskiest=first,
        caught=interval(hits, int(labels.sum())),
        precision=Interval(hits / first, *wilson(hits / first, first)),
        seen=seen,
    )


def interval(count: int, total: int) -> Interval | None:
    """The share of a total with its interval; None of nothing."""
    if not total:
        return None
    return Interval(count / total, *wilson(count / total, total))


def _quarters(data: Dataset) -> list[Quarter]:
    """The latest quarters that have enough matured pulls, the earliest first."""
    usable = data.mature & data.example
    months = data.merged_at.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    quarters = months // 3
    names, counts = np.unique(quarters[usable], return_counts=True)
    return [
        _quarter(data, int(quarter), usable & (quarters == quarter))
        for quarter in names[counts >= LEAST_IN_QUARTER][-QUARTERS:]
    ]


def _quarter(data: Dataset, quarter: int, rows: NDArray[np.bool_]) -> Quarter:
    written = rows & data.written
    return Quarter(
        f"{1970 + quarter // 4} Q{1 + quarter % 4}",
        int(rows.sum()),
        interval(int(data.repaired[written].sum()), int(written.sum())),
        interval(int(data.reverted[rows].sum()), int(rows.sum())),
    )
