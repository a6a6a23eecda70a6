"""Variants of a pull: one thing made usual at a time, and only where it is not."""

import numpy as np
import pytest

from pullrisk.features.schema import Feature
from pullrisk.model.bundle import Bundle
from pullrisk.model.graph import GraphInputs, to_onnx
from pullrisk.model.network import Shape, initial_weights
from pullrisk.model.novelty import NoveltyStatistics
from pullrisk.model.occlusion import occlude, occlusion_units, unusual, variants
from pullrisk.model.scaling import Scaling
from support.tables import FEATURES, NAMES, SCHEMA
from support.training import shared_training

REPOSITORY = "owner/0"
OF_TIME_AND_SIZE = (
    Feature("hour_sine", "time", "sine", "hour"),
    Feature("hour_cosine", "time", "cosine", "hour"),
    Feature("opened_friday", "time", "flag", "opened on a Friday", "flag"),
    Feature("commits", "size", "commits", "commits", "log"),
    Feature("dependency_files", "size", "files", "files", "log"),
)


def test_effects_of_a_linear_model_add_up_to_the_whole_difference() -> None:
    data, trained = shared_training()
    shape = Shape(members=1, hidden=4, code=2)
    weights = initial_weights(np.zeros((1, len(NAMES)), np.float32), shape, questions=2, seed=0)
    weights["wide"][1, :, 0] = np.linspace(-0.5, 0.5, len(NAMES))
    width = len(NAMES)
    ordinary = NoveltyStatistics(
        directions=np.eye(width, dtype=np.float32),
        centre=np.zeros(width, np.float32),
        spread=np.ones(width, np.float32),
        shares=np.full(2 * width, 0.5 / width, np.float32),
    )
    parts = GraphInputs(Scaling.fit(data.x, FEATURES), weights, ordinary)
    bundle = Bundle.of(to_onnx(parts, trained.bundle.metadata), schema_hash=SCHEMA)
    usual = bundle.metadata.typical.row(REPOSITORY)
    units = [unit for unit in occlusion_units(FEATURES) if unit.family is None]
    pull = np.median(data.x, axis=0)[None] * 1.1
    risk, _ = occlude(bundle, pull, usual=usual, units=units)
    log_odds = np.log(risk[0] / (1 - risk[0]))
    whole = bundle.raw(np.stack([pull[0], usual]))[0]
    difference = np.diff(np.log(whole / (1 - whole)))[0]
    assert (log_odds[1:] - log_odds[0]).sum() == pytest.approx(difference, abs=1e-4)


def test_features_of_one_topic_are_made_usual_together() -> None:
    units = [(unit.columns, unit.family) for unit in occlusion_units(OF_TIME_AND_SIZE)]
    assert units == [
        ((2, 0, 1), None), ((3,), None), ((4,), None), ((0, 1, 2), "time"), ((3, 4), "size")
    ]  # fmt: skip


def test_a_variant_is_the_pull_but_for_its_unit() -> None:
    mask = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 0, 0],
                     [0, 0, 0, 1, 1]], np.bool_)  # fmt: skip
    x = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], np.float32)
    made = variants(x, np.zeros(5, np.float32), mask, [[0, 2], [4]])
    assert made.tolist() == [[0, 0, 0, 4, 5], [1, 2, 3, 4, 0], [6, 7, 8, 0, 0]]


def test_where_nothing_is_unusual_every_variant_answers_as_the_pull_does() -> None:
    bundle = shared_training()[1].bundle
    usual = bundle.metadata.typical.row(REPOSITORY)
    risk, error = occlude(bundle, usual[None], usual=usual, units=occlusion_units(FEATURES))
    assert np.ptp(risk) == np.ptp(error) == 0


def test_an_unknown_feature_is_never_made_known() -> None:
    x = np.array([[1, np.nan, 3, 4, 5]], np.float32)
    usual = np.array([0, 0, 0, np.nan, 0], np.float32)
    assert unusual(x, usual).tolist() == [[True, False, True, False, True]]
    made = variants(x, usual, np.ones((1, 5), np.bool_), [[0]])
    np.testing.assert_array_equal(made, np.array([[0, np.nan, 0, 4, 0]], np.float32))
