"""The ONNX graph computes what numpy computes."""

import numpy as np
import onnx
import pytest

from pullrisk.model.bundle import Bundle
from pullrisk.model.calibration import Calibration
from pullrisk.model.graph import GraphInputs, to_onnx
from pullrisk.model.metadata import QUESTIONS, Metadata
from pullrisk.model.network import FIXED, Shape, Weights, forward, initial_weights, predict
from pullrisk.model.novelty import NoveltyStatistics, novelty_error
from pullrisk.model.scaling import Scaling
from support.tables import FEATURES, NAMES, SCHEMA
from support.training import shared_training

X = np.random.default_rng(0).lognormal(3, 2, (500, len(NAMES))).astype(np.float32)


PLAIN = Shape(members=3, hidden=8, code=5)
PIECES = Shape(members=3, hidden=8, code=5, pieces=6, embedding=3)


def parts_and_metadata(shape: Shape = PLAIN) -> tuple[Weights, GraphInputs, Metadata]:
    import msgspec

    random, scaling = np.random.default_rng(1), Scaling.fit(X, FEATURES)
    z = scaling.apply(X)
    weights = {
        name: value if name in FIXED else random.normal(0, 0.3, value.shape).astype(np.float32)
        for name, value in initial_weights(z, shape, questions=2, seed=0).items()
    }
    parts = GraphInputs(scaling, weights, NoveltyStatistics.of(z, z - predict(weights, z)[1]))
    metadata = msgspec.structs.replace(
        shared_training()[1].bundle.metadata,
        calibration={"repair": Calibration(0.8, 0.2), "revert": Calibration(1.3, -0.4)},
        repair_available=True,
    )
    return weights, parts, metadata


def with_gaps(x: np.ndarray) -> np.ndarray:
    unknown = np.random.default_rng(2).random(x.shape) < 0.2
    return np.where(unknown, np.float32(np.nan), x)


@pytest.mark.parametrize("gaps", [False, True], ids=["all known", "some unknown"])
@pytest.mark.parametrize("shape", [PLAIN, PIECES], ids=["plain", "pieces"])
def test_risk_and_novelty_equal_numpy_within_a_hundred_thousandth(shape: Shape, gaps: bool) -> None:
    weights, parts, metadata = parts_and_metadata(shape)
    bundle = Bundle.of(to_onnx(parts, metadata), schema_hash=SCHEMA)
    x = with_gaps(X) if gaps else X
    risk, error, code = bundle.raw(x)
    z = parts.scaling.apply(x)
    logit, rebuilt = predict(weights, z)
    told = np.stack(
        [metadata.calibration[each].apply(own) for each, own in zip(QUESTIONS, logit, strict=True)]
    )
    for question, chance in zip(QUESTIONS, told, strict=True):
        assert np.abs(bundle.probability(question, x) - chance).max() < 1e-5
    assert np.abs(risk - (1 - (1 - told[0]) * (1 - told[1]))).max() < 1e-5
    expected = novelty_error(z, z - rebuilt, parts.ordinary)
    np.testing.assert_allclose(error, expected, rtol=1e-5, atol=1e-5)
    assert code.shape == (500, 30)


def test_the_code_lists_every_member_s_code_in_turn() -> None:
    weights, parts, metadata = parts_and_metadata()
    bundle = Bundle.of(to_onnx(parts, metadata), schema_hash=SCHEMA)
    codes = forward(weights, parts.scaling.apply(X))[2]
    np.testing.assert_allclose(bundle.raw(X)[2], np.concatenate(list(codes), axis=1), atol=1e-5)


def test_the_graph_is_valid_onnx_with_named_inputs_and_outputs() -> None:
    model = onnx.load_from_string(shared_training()[1].bundle.data)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == [
        "risk",
        "repair",
        "revert",
        "novelty_error",
        "code",
    ]


def test_the_same_parts_give_the_same_bytes() -> None:
    _, parts, metadata = parts_and_metadata()
    assert to_onnx(parts, metadata) == to_onnx(parts, metadata)


@pytest.mark.parametrize("value", [0.0, -3.0, 1e6, 1e12, np.nan])
def test_extreme_values_give_finite_answers(value: float) -> None:
    bundle = shared_training()[1].bundle
    risk, error, _ = bundle.raw(np.full((1, len(NAMES)), value, np.float32))
    assert 0 < risk[0] < 1
    assert np.isfinite(error[0])
