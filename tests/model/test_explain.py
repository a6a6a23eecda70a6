"""Reasons name what drives an answer, and counterfactuals hold when tried."""

import msgspec
import numpy as np
import pytest

from pullrisk.features.schema import Feature
from pullrisk.model.bundle import Bundle
from pullrisk.model.explain import LEAST_EFFECT, explain
from pullrisk.model.graph import Parts, to_onnx
from pullrisk.model.network import Network, Shape
from pullrisk.model.occlusion import occlude, occlusion_units
from pullrisk.model.residuals import Ordinary
from pullrisk.model.scaling import Scaling
from support.tables import FEATURES, NAMES, SCHEMA, feature_table
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


def test_the_effect_is_the_change_of_log_odds_when_the_feature_is_made_usual() -> None:
    bundle, usual, risky = usual_and_risky()
    (found,) = explain(bundle, risky[None], REPOSITORY)
    risk = bundle.raw(np.stack([risky, usual]))[0]
    log_odds = np.log(risk / (1 - risk))
    assert found.risk[0].effect == pytest.approx(log_odds[0] - log_odds[1], abs=1e-4)


def test_effects_of_a_linear_model_add_up_to_the_whole_difference() -> None:
    data, trained = shared_training()
    network = Network(len(NAMES), Shape(members=1, hidden=4, code=2), seed=0)
    weights = network.weights()
    weights["wide"][0, :, 0] = np.linspace(-0.5, 0.5, len(NAMES))
    width = len(NAMES)
    ordinary = Ordinary(
        directions=np.eye(width, dtype=np.float32),
        centre=np.zeros(width, np.float32),
        spread=np.ones(width, np.float32),
        shares=np.full(2 * width, 0.5 / width, np.float32),
    )
    parts = Parts(Scaling.fit(data.x, FEATURES), weights, ordinary)
    bundle = Bundle.of(to_onnx(parts, trained.bundle.metadata), schema_hash=SCHEMA)
    usual = bundle.metadata.typical.row(REPOSITORY)
    units = [unit for unit in occlusion_units(FEATURES) if unit.family is None]
    pull = np.median(data.x, axis=0)[None] * 1.1
    risk, _ = occlude(bundle, pull, usual=usual, units=units)
    log_odds = np.log(risk[0] / (1 - risk[0]))
    whole = bundle.raw(np.stack([pull[0], usual]))[0]
    difference = np.diff(np.log(whole / (1 - whole)))[0]
    assert (log_odds[1:] - log_odds[0]).sum() == pytest.approx(difference, abs=1e-4)


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


def test_features_of_one_topic_are_made_usual_together() -> None:
    features = (
        Feature("hour_sine", "time", "sine", "hour"),
        Feature("hour_cosine", "time", "cosine", "hour"),
        Feature("opened_friday", "time", "flag", "opened on a Friday", "flag"),
        Feature("commits", "size", "commits", "commits", "log"),
        Feature("dependency_files", "size", "files", "files", "log"),
    )
    units = [(unit.columns, unit.family) for unit in occlusion_units(features)]
    assert units == [
        ((2, 0, 1), None), ((3,), None), ((4,), None), ((0, 1, 2), "time"), ((3, 4), "size")
    ]  # fmt: skip


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
