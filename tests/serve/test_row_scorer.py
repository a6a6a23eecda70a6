"""Rows of several requests are scored by one run of the model, as each would be alone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from pullrisk.errors import ModelError
from pullrisk.features import NAMES
from pullrisk.model.bundle import Answers, Bundle
from pullrisk.serve.models import LoadedModel
from pullrisk.serve.row_scorer import RowScorer
from pullrisk.serve.shapes import RawScore
from support.serving import GENERAL

SIZES = (1, 1, 8, 3, 1, 2, 9, 1)


class CountingBundle(Bundle):
    runs = 0

    def answers(self, x: NDArray[np.float32]) -> Answers:
        self.runs += 1
        return super().answers(x)


@pytest.fixture
def model() -> LoadedModel:
    bundle = CountingBundle.load(GENERAL)
    return LoadedModel(bundle, "v1", "the package", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def asked() -> list[NDArray[np.float32]]:
    """What requests of these sizes hold: numbers of any magnitude, every tenth unknown."""
    random = np.random.default_rng(5)
    rows = (random.normal(size=(sum(SIZES), len(NAMES))) * random.lognormal(0, 3)).astype(
        np.float32
    )
    rows[random.random(rows.shape) < 0.1] = np.nan
    return np.split(rows, np.cumsum(SIZES)[:-1])


def alone(model: LoadedModel, rows: NDArray[np.float32]) -> list[RawScore]:
    """The score of each row, from a run of its own."""
    scores = []
    for row in rows:
        told = model.bundle.answers(row[None])
        answers = told.risk, told.repair, told.revert
        risk, repair, revert = (None if each is None else each.item() for each in answers)
        scores.append(RawScore(risk, repair, revert, told.novelty_error.item()))
    return scores


async def score_all(
    scorer: RowScorer, asked: Sequence[NDArray[np.float32]]
) -> list[tuple[str, list[RawScore]] | BaseException]:
    found = await asyncio.gather(*map(scorer.score, asked), return_exceptions=True)
    return [
        each if isinstance(each, BaseException) else (each[0].version, each[1]) for each in found
    ]


def test_each_request_gets_what_its_rows_would_get_alone(
    model: LoadedModel, asked: list[NDArray[np.float32]]
) -> None:
    scores = asyncio.run(score_all(RowScorer(lambda: model), asked))
    assert scores == [("v1", alone(model, rows)) for rows in asked]  # to the last bit


def test_those_who_wait_at_the_same_moment_share_a_run(
    model: LoadedModel, asked: list[NDArray[np.float32]]
) -> None:
    asyncio.run(score_all(RowScorer(lambda: model), asked))
    assert isinstance(model.bundle, CountingBundle)
    assert model.bundle.runs == 2  # all but the request of nine rows, and that one


def test_a_request_that_is_given_up_takes_no_other_with_it(
    model: LoadedModel, asked: list[NDArray[np.float32]]
) -> None:
    async def give_one_up() -> list[RawScore]:
        scorer = RowScorer(lambda: model)
        waiting = [asyncio.create_task(scorer.score(rows)) for rows in asked[:3]]
        asyncio.get_running_loop().call_soon(waiting[1].cancel)  # all of them wait by then
        await asyncio.wait(waiting)
        assert waiting[1].cancelled()
        return [score for task in (waiting[0], waiting[2]) for score in task.result()[1]]

    kept = np.concatenate([asked[0], asked[2]])
    assert asyncio.run(give_one_up()) == alone(model, kept)


def test_a_model_that_fails_fails_those_who_wait_and_nobody_later(
    model: LoadedModel, asked: list[NDArray[np.float32]]
) -> None:
    models = [model]

    def loaded() -> LoadedModel:
        if not models:
            raise ModelError("gone")
        return models[0]

    async def fail_once() -> None:
        scorer = RowScorer(loaded)
        models.clear()
        failed = await score_all(scorer, asked)
        assert all(isinstance(each, ModelError) for each in failed)
        models.append(model)
        assert await score_all(scorer, asked[:1]) == [("v1", alone(model, asked[0]))]

    asyncio.run(fail_once())
