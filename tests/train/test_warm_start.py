import msgspec
import numpy as np
import pytest

from pullrisk.errors import ModelError
from pullrisk.model.network import Shape, initial_weights, predict
from pullrisk.progress import Silent
from pullrisk.train.training import TrainSettings, train
from pullrisk.train.warm_start import WarmStart
from support.tables import FEATURES, SCHEMA, feature_table
from support.training import QUICK, quick_dataset, shared_training

SHAPE = QUICK.shape


def test_the_network_read_back_from_the_file_answers_as_the_file_does() -> None:
    dataset, trained = shared_training()
    start = WarmStart.of(trained.bundle, name="first")
    z = start.scaling.apply(dataset.x[:200])
    logits, _ = predict(start.matching(initial_weights(z, SHAPE, questions=2, seed=99)), z)
    risk = trained.bundle.raw(dataset.x[:200])[0]
    calibrated = trained.bundle.metadata.calibration["revert"].apply(logits[1])
    np.testing.assert_allclose(calibrated, risk, rtol=1e-4)


def test_a_network_of_another_shape_is_refused_by_name() -> None:
    start = WarmStart.of(shared_training()[1].bundle, name="first")
    z = np.zeros((1, len(FEATURES)), np.float32)
    other = initial_weights(z, Shape(members=2, hidden=8, code=4), questions=2, seed=0)
    with pytest.raises(
        ModelError, match=r"start from first sha256:[0-9a-f]+: its encoder1 has shape"
    ):
        start.matching(other)


def test_fine_tuning_begins_where_the_first_model_ended() -> None:
    trained = shared_training()[1]
    few = quick_dataset(feature_table(pulls=200, repositories=1, seed=7))
    settings = TrainSettings(fit=QUICK)
    start = WarmStart.of(trained.bundle, name="first")

    def tuned(start: WarmStart | None) -> float:
        found = train(few, FEATURES, settings, schema_hash=SCHEMA, start=start, progress=Silent())
        return found.epochs[0].training_reconstruction_error

    assert tuned(start) < 0.8 * tuned(None)


def test_a_fine_tuned_model_says_what_it_started_from() -> None:
    few = quick_dataset(feature_table(pulls=200, repositories=1, seed=7))
    start = WarmStart.of(shared_training()[1].bundle, name="first")
    settings = TrainSettings(fit=QUICK)
    found = train(few, FEATURES, settings, schema_hash=SCHEMA, start=start, progress=Silent())
    assert found.bundle.metadata.facts.started_from == start.name
    assert found.bundle.metadata.facts.fit["batch"] == QUICK.batch


def test_fine_tuning_keeps_the_intervals_of_a_model_that_cuts_its_inputs() -> None:
    fit = msgspec.structs.replace(QUICK, shape=Shape(2, 16, 4, pieces=4, embedding=2), epochs=1)
    settings = TrainSettings(fit=fit)
    dataset = quick_dataset(feature_table(pulls=800, repositories=2, seed=1))
    few = quick_dataset(feature_table(pulls=800, repositories=1, seed=7))
    first = train(dataset, FEATURES, settings, schema_hash=SCHEMA, progress=Silent())
    start = WarmStart.of(first.bundle, name="first")
    tuned = train(few, FEATURES, settings, schema_hash=SCHEMA, start=start, progress=Silent())
    kept = WarmStart.of(tuned.bundle, name="second").weights
    assert start.weights["piece_steepness"].any()
    np.testing.assert_array_equal(kept["piece_start"], start.weights["piece_start"])
    assert not np.array_equal(kept["embedding"], start.weights["embedding"])
