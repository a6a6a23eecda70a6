"""One network that answers which pull needs a fix and which is reverted."""

from typing import get_args

import numpy as np
import pytest

from pullrisk.model.metadata import QUESTIONS, Answer, Question
from pullrisk.progress import Silent
from pullrisk.train.baselines import BOOSTING, CODE_LINES_ADDED, LINES_ADDED, LOGISTIC
from pullrisk.train.dataset import ANSWER_OF, TARGET_OF, UNKNOWN, Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import OURS
from pullrisk.train.fit import fine_tuning
from pullrisk.train.metrics import pooled_auc
from pullrisk.train.ranking import code_pulls
from pullrisk.train.training import Trained, TrainSettings, train
from pullrisk.train.warm_start import WarmStart
from support.tables import FEATURES, SCHEMA, feature_table
from support.training import (
    QUICK,
    quick_dataset,
    quick_train,
    training_of_both,
    training_of_both_with_code,
)

OPTIONS = Options(baselines=False, resamples=2)
# Of a source that does not know whose lines a change rewrites.
WITHOUT_LINES = quick_dataset(feature_table(pulls=1200, repositories=1, rate=0.1, seed=11))


def tuned(dataset: Dataset = WITHOUT_LINES) -> Trained:
    start = WarmStart.of(training_of_both()[1].bundle, name="elsewhere")
    settings = TrainSettings(fit=fine_tuning(QUICK))
    return train(dataset, FEATURES, settings, schema_hash=SCHEMA, start=start, progress=Silent())


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_is_learnt(question: Question) -> None:
    data, trained = training_of_both()
    labels = data.labels(TARGET_OF[question])
    rows = trained.split.test & (labels != UNKNOWN)
    found = trained.bundle.probability(question, data.x[rows])
    assert pooled_auc(found, labels[rows], np.ones((1, rows.sum())))[0] > 0.65


def test_the_risk_is_the_probability_of_either() -> None:
    data, trained = training_of_both()
    scores = trained.bundle.score(data.x[:300], data.repositories[0])
    assert scores.risk is not None
    assert scores.repair is not None
    assert scores.revert is not None
    both = 1 - (1 - scores.repair) * (1 - scores.revert)
    np.testing.assert_allclose(scores.risk, both, atol=1e-6)
    labels = data.labels("risk")
    rows = trained.split.test & (labels != UNKNOWN)
    risk = trained.bundle.raw(data.x[rows])[0]
    assert risk.mean() == pytest.approx(labels[rows].mean(), rel=0.3)


def test_where_lines_are_not_known_there_is_no_answer_to_repairs() -> None:
    trained = quick_train(WITHOUT_LINES)
    metadata = trained.bundle.metadata
    assert (metadata.repair_available, metadata.revert_available) == (False, True)
    assert metadata.risk_available
    scores = trained.bundle.score(WITHOUT_LINES.x[:50], WITHOUT_LINES.repositories[0])
    assert scores.repair is None
    assert scores.revert is not None
    assert scores.risk is not None
    np.testing.assert_array_equal(scores.risk, scores.revert)
    assert "whose lines a change rewrites is not known" in trained.notes[0]
    assert "does not answer that" in trained.notes[0]


def test_where_lines_are_not_known_a_fine_tuned_model_answers_repairs_as_before() -> None:
    first, found = training_of_both()[1].bundle, tuned()
    assert found.bundle.metadata.repair_available
    x = WITHOUT_LINES.x[:200].copy()
    x[::7, 0] = np.nan
    for question, same in (("repair", True), ("revert", False)):
        before, after = (each.probability(question, x) for each in (first, found.bundle))  # type: ignore[arg-type]
        assert np.allclose(before, after, rtol=1e-5) is same
    assert "that answer is the one of elsewhere" in found.notes[0]


def test_fine_tuning_on_repairs_changes_both_answers() -> None:
    data = training_of_both()[0]
    first, found = training_of_both()[1].bundle, tuned(data.take(data.repository == 0))
    for question in QUESTIONS:
        before, after = (each.probability(question, data.x[:200]) for each in (first, found.bundle))
        assert not np.allclose(before, after, rtol=1e-3)


def test_it_is_judged_by_the_risk_and_by_each_answer() -> None:
    data, trained = training_of_both()
    found = evaluate(trained.bundle, data, options=OPTIONS, progress=Silent())
    assert (found.target, found.outcome) == ("risk", "repaired or reverted")
    assert found.questions.keys() == {"repaired", "reverted"}
    assert all(part.models[OURS].ranking for part in found.questions.values())
    assert found.positives > max(part.positives for part in found.questions.values())
    assert found.flat().keys() >= {"repaired_pooled_auc", "reverted_within_auc_weighted"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_answer_stands_beside_baselines_of_its_own_outcome(question: Question) -> None:
    data, trained = training_of_both_with_code()
    found = evaluate(trained.bundle, data, options=Options(resamples=2), progress=Silent())
    whole = found.questions[TARGET_OF[question]]
    labels, code = data.labels(TARGET_OF[question]), code_pulls(data)
    rows = trained.split.test & (labels != UNKNOWN) & code
    assert whole.code_pulls is not None
    assert (whole.code_pulls.pulls, whole.code_pulls.positives) == (rows.sum(), labels[rows].sum())
    baselines = {LINES_ADDED, CODE_LINES_ADDED, LOGISTIC, BOOSTING}
    for part in (whole, whole.code_pulls):
        assert part.differences.keys() == baselines
    answer = trained.bundle.probability(question, data.x[rows])
    expected = pooled_auc(answer, labels[rows], np.ones((1, rows.sum())))[0]
    ours = whole.code_pulls.models[OURS].ranking["pooled_auc"]
    assert ours.value == pytest.approx(expected)
    assert found.flat()[f"{TARGET_OF[question]}_code_pulls_pooled_auc"] == ours.value


def test_without_lines_it_is_judged_by_reverts_alone() -> None:
    trained = training_of_both()[1]
    found = evaluate(trained.bundle, WITHOUT_LINES, options=OPTIONS, progress=Silent())
    assert (found.target, found.outcome) == ("reverted", "reverted")
    assert found.questions == {}


def test_every_outcome_has_an_answer() -> None:
    assert set(ANSWER_OF.values()) == set(get_args(Answer))
    assert all(ANSWER_OF[target] == question for question, target in TARGET_OF.items())
