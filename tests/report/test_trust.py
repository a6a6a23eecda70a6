"""The report's part on how good the model is, from evaluations of both kinds of tables."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pullrisk.progress import Silent
from pullrisk.report import charts
from pullrisk.report.page import Contents, render
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.training import Trained
from support.training import shared_training, training_with_code


def judged(training: Callable[[], tuple[Dataset, Trained]]) -> tuple[str, Evaluation]:
    """The page about a model, and the evaluation on it."""
    data, trained = training()
    options = Options(resamples=10)
    evaluation = evaluate(trained.bundle, data, options=options, progress=Silent())
    contents = Contents(
        generated_at=datetime(2026, 1, 1, tzinfo=UTC),
        model="the model",
        facts=trained.bundle.metadata.facts,
        evaluation=evaluation,
        capture=charts.capture(evaluation),
        calibration=None,
        distribution=None,
        drivers=[],
        families=[],
        patterns=None,
        riskiest=[],
    )
    return render(contents), evaluation


def test_it_leads_with_what_the_riskiest_tenth_holds_beside_all() -> None:
    page, evaluation = judged(shared_training)
    riskiest = evaluation.riskiest()
    assert riskiest is not None
    cards = page[page.index('class="cards"') : page.index('id="riskiest"')]
    first = cards[: cards.index('class="card-value"', cards.index('class="card-value"') + 1)]
    assert f"{100 * (riskiest.precision.value or 0):.3g}\N{NO-BREAK SPACE}%" in first
    assert f"of all {100 * riskiest.base_rate:.3g}\N{NO-BREAK SPACE}%" in first


@pytest.mark.parametrize(
    ("training", "known"), [(shared_training, False), (training_with_code, True)]
)
def test_code_pulls_stand_apart_where_code_lines_are_known(
    training: Callable[[], tuple[Dataset, Trained]], known: bool
) -> None:
    page, evaluation = judged(training)
    assert ("that change at least three lines of code" in page) is known
    assert ("code lines added" in page) is known
    assert ("Code lines are not known here" in page) is not known
    assert "AUC among pull requests of like size" in page
    for segment in evaluation.segments:
        assert f"{segment.kind}: {segment.name}" in page
