"""Evaluation judges a model only on what it has not seen."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pullrisk.errors import NotEnoughDataError
from pullrisk.progress import Silent
from pullrisk.train.baselines import BOOSTING, CODE_LINES_ADDED, ISOLATION, LINES_ADDED, LOGISTIC
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import OURS, Evaluation
from pullrisk.train.novelty import ALL_KINDS, Injected
from pullrisk.train.ranking import code_pulls
from support.tables import NAMES, feature_table
from support.training import quick_dataset, quick_train, shared_training, training_with_code

FEW = Options(resamples=40)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    data, trained = shared_training()
    random = np.random.default_rng(0)
    normal = data.x[trained.split.test][:200]
    odd = normal * random.uniform(20, 50, normal.shape).astype(np.float32)
    return evaluate(
        trained.bundle, data, injected=Injected(normal, {"odd": odd}), options=FEW,
        progress=Silent(),
    )  # fmt: skip


def test_our_pooled_auc_is_that_of_scikit_learn_on_the_test_window(evaluation: Evaluation) -> None:
    data, trained = shared_training()
    labels = data.labels()
    rows = trained.split.test & (labels != UNKNOWN)
    expected = roc_auc_score(labels[rows], trained.bundle.raw(data.x[rows])[0])
    assert evaluation.models[OURS].ranking["pooled_auc"].value == pytest.approx(expected)
    assert evaluation.pulls == rows.sum()


def test_every_model_has_every_figure_with_its_interval(evaluation: Evaluation) -> None:
    assert set(evaluation.models) == {OURS, LINES_ADDED, LOGISTIC, BOOSTING, ISOLATION}
    for figures in evaluation.models.values():
        for name, found in figures.ranking.items():
            assert found.low is not None, name
            assert found.high is not None, name
            assert found.low <= found.high, name
    auc = evaluation.models[OURS].ranking["pooled_auc"]
    assert auc.low < auc.value < auc.high  # type: ignore[operator]


def test_differences_are_paired_so_that_they_are_narrower_than_two_intervals(
    evaluation: Evaluation,
) -> None:
    paired = evaluation.differences[LOGISTIC]["pooled_auc"]
    both = [evaluation.models[name].ranking["pooled_auc"] for name in (OURS, LOGISTIC)]
    assert paired.value == pytest.approx(both[0].value - both[1].value)  # type: ignore[operator]
    widths = [found.high - found.low for found in both]  # type: ignore[operator]
    assert paired.high - paired.low < sum(widths)  # type: ignore[operator]


def test_the_signal_beats_lines_added(evaluation: Evaluation) -> None:
    assert evaluation.differences[LINES_ADDED]["pooled_auc"].value > 0  # type: ignore[operator]


def test_injected_oddities_are_told_from_ordinary_pulls(evaluation: Evaluation) -> None:
    assert evaluation.novelty is not None
    assert evaluation.novelty.ours["odd"].value > 0.95  # type: ignore[operator]
    assert set(evaluation.novelty.isolation_forest) == {"odd", ALL_KINDS}


def test_bands_flag_about_their_share_of_pulls(evaluation: Evaluation) -> None:
    assert evaluation.bands["high"].flagged == pytest.approx(0.05, abs=0.04)
    assert evaluation.bands["elevated_or_high"].flagged == pytest.approx(0.20, abs=0.08)


def test_it_survives_the_way_through_json(evaluation: Evaluation) -> None:
    again = msgspec.json.decode(msgspec.json.encode(evaluation), type=Evaluation)
    assert again == evaluation
    flat = evaluation.flat()
    assert {"pooled_auc", "brier", "high_recall", "novelty_auc_odd"} <= set(flat)
    assert all(isinstance(value, float) for value in flat.values())


def test_a_repository_that_the_model_never_saw_is_test_data_as_a_whole() -> None:
    _, trained = shared_training()
    other = feature_table(600, repositories=3, seed=0)
    other = other.filter(np.array(other["repository"].to_pylist()) == "owner/2")
    data = Dataset.from_table(other, NAMES)
    found = evaluate(
        trained.bundle, data, options=Options(resamples=5, baselines=False), progress=Silent()
    )
    assert found.pulls == (data.labels() != UNKNOWN).sum()
    assert [figures.repository for figures in found.repositories] == ["owner/2"]


def test_only_pulls_since_the_given_date_count() -> None:
    data, trained = shared_training()
    test = np.sort(data.merged_at[trained.split.test])
    middle = datetime.fromtimestamp(int(test[len(test) // 3]) / 1e6, UTC)
    options = Options(since=middle, resamples=5, baselines=False)
    found = evaluate(trained.bundle, data, options=options, progress=Silent())
    assert found.since == middle.date().isoformat()
    late = Options(since=datetime(2100, 1, 1, tzinfo=UTC))
    with pytest.raises(NotEnoughDataError, match="no pull"):
        evaluate(trained.bundle, data, options=late, progress=Silent())


def test_a_test_window_too_young_for_any_outcome_says_so() -> None:
    young = quick_dataset(feature_table(pulls=600, days=200))
    found = evaluate(quick_train(young).bundle, young, progress=Silent())
    assert (found.pulls, found.positives) == (0, 0)
    assert found.immature > 50
    assert any("nothing to rank" in note for note in found.notes)


def test_a_model_without_risk_is_judged_by_its_reconstruction_alone() -> None:
    data = quick_dataset(feature_table(400, rate=0))
    found = evaluate(quick_train(data).bundle, data, options=FEW, progress=Silent())
    assert found.models == {}
    assert found.probability is None
    assert found.reconstruction.test_mean > 0
    assert len(found.notes) == 2


def test_code_pulls_are_judged_apart_and_code_lines_are_a_baseline() -> None:
    data, trained = training_with_code()
    found = evaluate(trained.bundle, data, options=FEW, progress=Silent())
    assert {LINES_ADDED, CODE_LINES_ADDED} < set(found.models)
    code, labels = code_pulls(data), data.labels()
    assert code is not None
    assert found.code_pulls is not None
    rows = trained.split.test & (labels != UNKNOWN) & code
    assert (found.code_pulls.pulls, found.code_pulls.positives) == (rows.sum(), labels[rows].sum())
    expected = roc_auc_score(labels[rows], trained.bundle.raw(data.x[rows])[0])
    ours = found.code_pulls.models[OURS].ranking
    assert ours["pooled_auc"].value == pytest.approx(expected)
    assert set(found.code_pulls.differences) == set(found.models) - {OURS}
    assert found.flat()["code_pulls_within_auc_weighted"] == ours["within_auc_weighted"].value
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_without_code_lines_nothing_is_said_of_code_pulls(evaluation: Evaluation) -> None:
    assert evaluation.code_pulls is None
    assert CODE_LINES_ADDED not in evaluation.models


def test_the_riskiest_tenth_is_what_its_cost_says(evaluation: Evaluation) -> None:
    found, cost = evaluation.riskiest(), evaluation.costs[1]
    assert found is not None
    assert found.precision.value == pytest.approx(cost.caught / cost.reviews)
    assert found.base_rate == evaluation.positives / evaluation.pulls
    assert found.lift.value == pytest.approx(found.precision.value / found.base_rate)  # type: ignore[operator]
    assert found.lift.low is not None


def test_an_evaluation_from_before_these_figures_is_read_and_tells_the_riskiest(
    evaluation: Evaluation,
) -> None:
    plain = msgspec.to_builtins(evaluation)
    del plain["code_pulls"]
    for segment in plain["segments"]:
        del segment["like_size_auc"], segment["precision"]
    for model in plain["models"].values():
        for name in [
            name for name in model["ranking"] if name.startswith(("like", "prec", "lift"))
        ]:
            del model["ranking"][name]
    found, now = msgspec.convert(plain, Evaluation).riskiest(), evaluation.riskiest()
    assert found is not None
    assert now is not None
    assert (found.precision.value, found.lift.value) == pytest.approx(
        (now.precision.value, now.lift.value)
    )
    assert found.precision.low is None
