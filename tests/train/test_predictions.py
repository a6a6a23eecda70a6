"""What a model said is kept, and found again for the same pulls."""

import numpy as np

from pullrisk.train.comparison import record_predictions, recorded_answer
from support.training import shared_training


def test_answers_for_unseen_pulls_come_back_whatever_the_rows_order() -> None:
    data, trained = shared_training()
    saved = record_predictions(trained.bundle, data)
    assert saved is not None
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    found = recorded_answer(saved, shuffled, "risk")
    rows = shuffled.since(trained.bundle.metadata.facts.trained_until)
    assert np.isnan(found[~rows]).all()
    risk = trained.bundle.raw(shuffled.x[rows])[0]
    np.testing.assert_allclose(found[rows], risk, rtol=1e-6)


def test_pulls_too_young_for_a_label_are_recorded_too() -> None:
    data, trained = shared_training()
    saved = record_predictions(trained.bundle, data)
    assert saved is not None
    young = data.take(~data.mature)
    assert len(young)
    assert not np.isnan(recorded_answer(saved, young, "risk")).any()


def test_a_pull_of_another_repository_with_the_same_number_has_no_answer() -> None:
    data, trained = shared_training()
    own = data.take(data.repository == 0)
    saved = record_predictions(trained.bundle, own)
    assert saved is not None
    assert np.isnan(recorded_answer(saved, data.take(data.repository == 1), "risk")).all()


def test_of_a_repository_that_the_model_never_learnt_from_all_pulls_are_unseen() -> None:
    data, trained = shared_training()
    renamed = type(data)(
        **{name: getattr(data, name) for name in data.__slots__} | {"repositories": ("o/a", "o/b")}
    )
    assert renamed.since(trained.bundle.metadata.facts.trained_until).all()
