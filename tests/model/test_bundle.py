"""Loading, refusing and scoring with a bundle."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from pullrisk.errors import InputError, ModelError
from pullrisk.features import SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import METADATA_KEY, OperatingPoints
from support.tables import NAMES, SCHEMA
from support.training import shared_training


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(shared_training()[1].bundle.data)
    return path


def with_metadata(data: bytes, text: str | None) -> bytes:
    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    if text is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, text
    return bytes(model.SerializeToString())


def test_a_saved_bundle_scores_as_before(path: Path) -> None:
    data, trained = shared_training()
    loaded = Bundle.load(path, schema_hash=SCHEMA)
    assert loaded.metadata == trained.bundle.metadata
    assert (loaded.raw(data.x)[0] == trained.bundle.raw(data.x)[0]).all()


def test_another_feature_schema_is_refused_and_both_hashes_are_named(path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Bundle.load(path)
    assert SCHEMA in str(caught.value)
    assert SCHEMA_HASH in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_a_corrupt_or_shortened_file_is_a_model_error(path: Path, content: bytes | None) -> None:
    path.write_bytes(path.read_bytes()[:-5000] if content is None else content)
    with pytest.raises(ModelError, match=str(path)):
        Bundle.load(path, schema_hash=SCHEMA)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pullrisk train"):
        Bundle.load(tmp_path / "none.onnx")


def test_a_foreign_onnx_file_is_not_taken_for_ours() -> None:
    data = with_metadata(shared_training()[1].bundle.data, None)
    with pytest.raises(ModelError, match="not one that pullrisk made"):
        Bundle.of(data, schema_hash=SCHEMA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 99}', "version 99"),
        ('{"format": 1}', "version 1"),
        ('{"format": 2}', "damaged"),
        ("{", "damaged"),
        ('{"format":2,"x":' + "[" * 20_000, "damaged"),
        ('{"format":2,"x":"\\ud800"}', "damaged"),
    ],
)
def test_metadata_of_a_newer_version_or_damaged_is_refused(text: str, message: str) -> None:
    data = with_metadata(shared_training()[1].bundle.data, text)
    with pytest.raises(ModelError, match=message):
        Bundle.of(data, schema_hash=SCHEMA)


def test_scoring_loads_neither_jax_nor_scikit_learn_nor_mlflow(path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from pullrisk.model.bundle import Bundle; import pullrisk.brief.make\n"
        f"b = Bundle.load(Path({str(path)!r}), schema_hash={SCHEMA!r})\n"
        f"x = np.ones((2, {len(NAMES)}), np.float32); b.score(x, 'owner/0')\n"
        "heavy = {'jax', 'sklearn', 'mlflow', 'onnx', 'pandas', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rows_of_another_width_or_infinite_are_refused_by_name() -> None:
    bundle = shared_training()[1].bundle
    with pytest.raises(InputError, match=r"\[n, 6\]"):
        bundle.raw(np.ones((2, 5), np.float32))
    bad = np.ones((2, 6), np.float32)
    bad[1, 2] = np.inf
    with pytest.raises(InputError, match="author_failure_rate of row 1"):
        bundle.raw(bad)


def test_no_rows_give_no_scores() -> None:
    scores = shared_training()[1].bundle.score(np.ones((0, 6), np.float32), "owner/0")
    assert scores.risk is not None
    assert len(scores.risk) == len(scores.novelty) == len(scores.bands) == 0


def test_many_rows_score_as_one_by_one() -> None:
    data, trained = shared_training()
    together = trained.bundle.raw(data.x[:50])[0]
    alone = [trained.bundle.raw(data.x[i : i + 1])[0][0] for i in range(50)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_bands_follow_the_thresholds_of_the_repository() -> None:
    data, trained = shared_training()
    bundle = trained.bundle
    own = data.x[(data.repository == 0) & ~trained.split.test]
    scores = bundle.score(own, "owner/0")
    high, elevated = bundle.thresholds("owner/0")
    assert scores.risk is not None
    for risk, band in zip(scores.risk, scores.bands, strict=True):
        expected = "high" if risk >= high else "elevated" if risk >= elevated else "low"
        assert band == expected
    assert {"high", "elevated", "low"} == set(scores.bands)


def test_other_operating_points_move_the_bands() -> None:
    data, trained = shared_training()
    wide = trained.bundle.score(data.x, points=OperatingPoints(0.5, 0.4))
    usual = trained.bundle.score(data.x)
    assert wide.bands.count("high") > 3 * usual.bands.count("high")


def test_novelty_is_a_percentile_that_grows_with_the_error() -> None:
    data, trained = shared_training()
    scores = trained.bundle.score(data.x, "owner/1")
    assert 0 <= scores.novelty.min() <= scores.novelty.max() <= 100
    order = np.argsort(scores.novelty_error)
    assert (np.diff(scores.novelty[order]) >= 0).all()
    assert scores.novelty.mean() == pytest.approx(50, abs=10)


def test_metadata_survives_the_way_through_json() -> None:
    metadata = shared_training()[1].bundle.metadata
    again = msgspec.json.decode(msgspec.json.encode(metadata), type=type(metadata))
    assert again == metadata
