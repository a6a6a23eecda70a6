"""Reasons name what drives an answer, and counterfactuals hold when tried."""

import msgspec
import numpy as np
import pytest

from pullrisk.model.bundle import Bundle
from pullrisk.model.explain import LEAST_EFFECT, explain
from support.tables import NAMES, feature_table
from support.training import quick_dataset, quick_train, shared_training

REPOSITORY = "owner/0"


def usual_and_risky() -> tuple[Bundle, np.ndarray, np.ndarray]:
    bundle = shared_training()[1].bundle
    usual = bundle.metadata.typical.row(REPOSITORY)
    risky = usual.copy()
    risky[NAMES.index("author_failure_rate")] = 0.4
    return bundle, usual, risky


def test_the_feature_that_was_changed_is_the_first_reason() -> None:
    bundle, _, risky = usual_and_risky()
    (found,) = explain(bundle, risky[None], REPOSITORY)
    assert found.risk[0].features == ("author_failure_rate",)
    assert found.risk[0].text.startswith("share of the author's pulls that failed: 40 %, usually")
    assert found.novelty[0].features == ("author_failure_rate",)


def test_the_usual_pull_has_no_reasons() -> None:
    bundle, usual, _ = usual_and_risky()
    (found,) = explain(bundle, usual[None], REPOSITORY)
    assert found.risk == found.novelty == ()
    assert found.counterfactual is None


def test_an_unknown_feature_is_never_a_reason() -> None:
    bundle, _, risky = usual_and_risky()
    risky[NAMES.index("author_failure_rate")] = np.nan
    (found,) = explain(bundle, risky[None], REPOSITORY)
    assert found.risk == found.novelty == ()


def test_a_feature_that_is_unknown_of_the_repository_s_pulls_is_no_reason_either() -> None:
    bundle, usual, risky = usual_and_risky()
    blind = np.tile(usual, (9, 1))
    blind[:, NAMES.index("author_failure_rate")] = np.nan
    home = bundle.recalibrated_for(REPOSITORY, blind)
    (found,) = explain(home, risky[None], REPOSITORY)
    assert found.risk == found.novelty == ()


def test_the_effect_is_the_change_of_log_odds_when_the_feature_is_made_usual() -> None:
    bundle, usual, risky = usual_and_risky()
    (found,) = explain(bundle, risky[None], REPOSITORY)
    risk = bundle.raw(np.stack([risky, usual]))[0]
    log_odds = np.log(risk / (1 - risk))
    assert found.risk[0].effect == pytest.approx(log_odds[0] - log_odds[1], abs=1e-4)


def test_a_counterfactual_holds_when_it_is_tried() -> None:
    data, trained = shared_training()
    bundle, usual = trained.bundle, trained.bundle.metadata.typical.row(REPOSITORY)
    pulls = data.x[trained.split.test & (data.repository == 0)]
    order = {"low": 0, "elevated": 1, "high": 2}
    tried = 0
    for pull, found in zip(pulls, explain(bundle, pulls, REPOSITORY), strict=True):
        before = bundle.score(pull[None], REPOSITORY).bands[0]
        if found.counterfactual is None:
            continue
        changed = pull.copy()
        columns = [NAMES.index(name) for name in found.counterfactual.features]
        changed[columns] = usual[columns]
        after = bundle.score(changed[None], REPOSITORY)
        assert after.bands[0] == found.counterfactual.band
        assert order[after.bands[0]] < order[before]
        assert found.counterfactual.text.endswith(f": {after.bands[0]}")
        tried += 1
    assert tried > 5


def test_reasons_come_strongest_first_and_no_more_than_asked_for() -> None:
    data, trained = shared_training()
    for found in explain(trained.bundle, data.x[:100], REPOSITORY, top=2):
        for reasons in (found.risk, found.novelty):
            effects = [reason.effect for reason in reasons]
            assert len(effects) <= 2
            assert effects == sorted(effects, reverse=True)
            assert all(effect >= LEAST_EFFECT for effect in effects)


def test_many_pulls_are_explained_as_one_by_one() -> None:
    data, trained = shared_training()
    together = explain(trained.bundle, data.x[:70], REPOSITORY)
    (alone,) = explain(trained.bundle, data.x[69:70], REPOSITORY)
    assert [reason.text for reason in together[69].risk] == [reason.text for reason in alone.risk]
    # A batch of another size may be summed in another order.
    effects = [reason.effect for reason in together[69].novelty]
    assert effects == pytest.approx([reason.effect for reason in alone.novelty], abs=1e-5)


def test_a_model_without_risk_explains_novelty_alone() -> None:
    bundle = quick_train(quick_dataset(feature_table(400, rate=0))).bundle
    odd = bundle.metadata.typical.row() + np.float32(40)
    (found,) = explain(bundle, odd[None])
    assert found.risk == ()
    assert found.counterfactual is None
    assert found.novelty


def test_a_topic_gives_one_reason_with_a_value_that_is_not_usual() -> None:
    bundle, usual, risky = usual_and_risky()
    (found,) = explain(bundle, risky[None], REPOSITORY, top=50)
    told = [name for reason in found.risk for name in reason.features]
    assert len(told) == len(set(told))
    for reason in found.risk:
        columns = [NAMES.index(name) for name in reason.features]
        unusual = [float(risky[column]) for column in columns if risky[column] != usual[column]]
        assert reason.value in unusual


def test_an_explanation_becomes_json() -> None:
    bundle, _, risky = usual_and_risky()
    (found,) = explain(bundle, risky[None], REPOSITORY)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
