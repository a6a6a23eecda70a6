"""How an evaluation reads on a terminal: first what the reader of the riskiest gets."""

from collections.abc import Callable

import pytest

from pullrisk.cli.display.models import print_evaluation
from pullrisk.progress import Silent
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.training import Trained
from support.training import shared_training, training_with_code


def judged(training: Callable[[], tuple[Dataset, Trained]]) -> Evaluation:
    data, trained = training()
    return evaluate(trained.bundle, data, options=Options(resamples=10), progress=Silent())


def test_it_leads_with_the_riskiest_tenth_beside_all(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = judged(shared_training)
    print_evaluation(evaluation)
    first, *rest = capsys.readouterr().out.splitlines()
    cost = evaluation.costs[1]
    share = f"{100 * cost.caught / cost.reviews:.3g} %"
    assert first.startswith(f"of the riskiest tenth of each repository {share} [")
    assert f"of all {100 * evaluation.positives / evaluation.pulls:.3g} %" in first
    assert [line.split(" %")[0] for line in rest if line.startswith("riskiest")] == [
        "riskiest 5", "riskiest 10", "riskiest 30",
    ]  # fmt: skip


def test_it_says_that_code_lines_are_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(judged(shared_training))
    assert "code lines are not known here" in capsys.readouterr().out


def test_it_judges_code_pulls_apart(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = judged(training_with_code)
    print_evaluation(evaluation)
    printed = capsys.readouterr().out
    assert evaluation.code_pulls is not None
    assert f"of them {evaluation.code_pulls.pulls:,} change at least three lines" in printed
    assert sum(line.startswith("code lines added ") for line in printed.splitlines()) == 2
