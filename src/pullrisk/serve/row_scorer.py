"""Scores rows of features: those of requests that wait at the same moment by one run of the model.

Most of a run is what its operators cost for any number of rows: one row takes 52 µs, eight take 95.
What is answered for a row does not depend on the rows beside it, to the last bit.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pullrisk.arrays import Float32
from pullrisk.model.bundle import Answers, Scores
from pullrisk.serve import shapes
from pullrisk.serve.models import LoadedModel

Scored: TypeAlias = tuple[shapes.ModelName, list[shapes.RawScore]]

_FEW: Final = 8
"""Rows of a request up to which it is scored together with others."""


class _Waiting(NamedTuple):
    rows: Float32
    scored: "asyncio.Future[Scored]"


class RowScorer:
    """Scores rows with the model that is `loaded` when their turn comes."""

    def __init__(self, loaded: Callable[[], LoadedModel]) -> None:
        self._loaded = loaded
        self._waiting: list[_Waiting] = []

    async def score(self, rows: Float32) -> Scored:
        """The model, and the scores of rows [n, d] that hold no infinite number."""
        if len(rows) > _FEW:
            model = self._loaded()
            return model.name, raw_scores(model.bundle.answers(rows))
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._score_waiting)  # after all requests that can be read already
        scored: asyncio.Future[Scored] = loop.create_future()
        self._waiting.append(_Waiting(rows, scored))
        return await scored

    def _score_waiting(self) -> None:
        waiting = [each for each in self._waiting if not each.scored.done()]  # others are overdue
        self._waiting = []
        if not waiting:
            return
        try:
            model = self._loaded()
            rows = np.concatenate([request.rows for request in waiting])
            scores = iter(raw_scores(model.bundle.answers(rows)))
        except Exception as error:
            for request in waiting:
                request.scored.set_exception(error)
            return
        name = model.name
        for request in waiting:
            request.scored.set_result((name, [*islice(scores, len(request.rows))]))


def raw_scores(answers: Answers | Scores) -> list[shapes.RawScore]:
    """A model's answers, row by row."""
    columns = (
        [None] * len(answers.novelty_error) if column is None else column.tolist()
        for column in (answers.risk, answers.repair, answers.revert, answers.novelty_error)
    )
    return [shapes.RawScore(*row) for row in zip(*columns, strict=True)]
