"""Training end to end on small tables: signal, determinism, and too little data."""

import msgspec
import numpy as np
import pytest

from pullrisk.errors import NotEnoughDataError, SettingsError
from pullrisk.model.calibration import Calibration
from pullrisk.model.metadata import OperatingPoints
from pullrisk.progress import Silent
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.metrics import pooled_auc
from pullrisk.train.table_columns import NEVER
from pullrisk.train.training import TrainSettings, train
from support.tables import FEATURES, NAMES, SCHEMA, feature_table
from support.training import QUICK, quick_dataset, quick_train, shared_training


def test_it_learns_what_makes_pulls_risky() -> None:
    data, trained = shared_training()
    labels = data.labels()
    rows = trained.split.test & (labels != UNKNOWN)
    risk = trained.bundle.raw(data.x[rows])[0]
    assert pooled_auc(risk, labels[rows], np.ones((1, rows.sum())))[0] > 0.7


def test_risks_are_probabilities_near_the_base_rate() -> None:
    data, trained = shared_training()
    risk = trained.bundle.raw(data.x)[0]
    labels = data.labels()
    assert ((risk > 0) & (risk < 1)).all()
    assert risk.mean() == pytest.approx((labels[labels != UNKNOWN] == 1).mean(), rel=0.3)


def test_the_same_seed_gives_the_same_file_and_another_seed_another() -> None:
    data, trained = shared_training()
    assert quick_train(data).bundle.data == trained.bundle.data
    assert quick_train(data, seed=1).bundle.data != trained.bundle.data


def test_nothing_of_the_test_window_reaches_the_model() -> None:
    data, trained = shared_training()
    test = trained.split.test
    x = data.x.copy()
    x[test] = 12_345.0
    changed = Dataset(**{name: getattr(data, name) for name in Dataset.__slots__} | {"x": x})
    assert quick_train(changed).bundle.data == trained.bundle.data


def test_outcomes_after_the_start_of_the_test_window_do_not_reach_the_model() -> None:
    data, trained = shared_training()
    cut = trained.split.test_from[data.repository]
    fields = {name: getattr(data, name) for name in Dataset.__slots__}
    for outcome in ("reverted_at", "undone_at"):
        moments = fields[outcome].copy()
        later = (moments > cut) & (moments != NEVER)
        moments[later] += 1_000_000
        assert later.any()
        fields[outcome] = moments
    changed = Dataset(**fields)
    assert quick_train(changed).bundle.data == trained.bundle.data


def test_facts_tell_what_was_trained_and_until_when() -> None:
    data, trained = shared_training()
    facts = trained.bundle.metadata.facts
    assert facts.pulls == trained.split.train.sum()
    assert facts.reverted > 20
    assert facts.repairs_known == facts.repaired == 0
    assert set(facts.trained_until) == set(data.repositories)
    for name, moment in facts.trained_until.items():
        own = data.repository == data.repositories.index(name)
        assert (data.merged_at[own & ~trained.split.test] < moment).all()


def test_with_too_few_positives_only_novelty_is_trained_and_that_is_said() -> None:
    trained = quick_train(quick_dataset(feature_table(400, rate=0.01)))
    assert not trained.bundle.metadata.risk_available
    assert "reverts are too few" in trained.notes[1]
    scores = trained.bundle.score(np.ones((3, len(NAMES)), np.float32))
    assert scores.risk is None
    assert scores.bands == ()
    assert np.isfinite(scores.novelty_error).all()


def test_labels_of_one_class_only_train_novelty() -> None:
    trained = quick_train(quick_dataset(feature_table(400, rate=0)))
    assert not trained.bundle.metadata.risk_available
    assert np.isfinite(trained.bundle.raw(np.zeros((1, len(NAMES)), np.float32))[0]).all()


def test_one_repository_suffices() -> None:
    trained = quick_train(quick_dataset(feature_table(1500, repositories=1)))
    assert trained.bundle.metadata.risk_available


def test_too_few_pulls_are_refused_with_the_number_needed() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 50"):
        quick_train(quick_dataset(feature_table(20)))


def test_without_a_validation_window_the_last_epoch_counts() -> None:
    settings = TrainSettings(validation=0, fit=QUICK)
    trained = train(quick_dataset(), FEATURES, settings, schema_hash=SCHEMA, progress=Silent())
    assert trained.best_epoch == QUICK.epochs
    assert trained.epochs[-1].validation_auc is None


def test_early_stopping_keeps_the_epoch_of_least_validation_loss() -> None:
    _, trained = shared_training()
    losses = [epoch.validation_risk_loss for epoch in trained.epochs]
    assert losses[trained.best_epoch - 1] == min(losses)  # type: ignore[type-var]


def test_calibration_is_part_of_the_graph() -> None:
    _, trained = shared_training()
    assert trained.bundle.metadata.calibration["revert"] != Calibration()


@pytest.mark.parametrize(
    "fields",
    [{"operating_points": OperatingPoints(0.9, 0.2)}],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        msgspec.structs.replace(TrainSettings(), **fields)
