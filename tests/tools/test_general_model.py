"""Making the model that ships, on a small part of the sample."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

import general_model as general
from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from support.clones import make_clone
from support.sample import sample_pulls

NAMES = ("kedro-org/kedro", "rust-lang/cargo", "astral-sh/uv")
PULLS = 250


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clones")
    for name in NAMES:
        make_clone(folder / name.replace("/", "__"), sample_pulls(PULLS, repository=name))
    return folder


@pytest.fixture(scope="module")
def made(clones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    assert general.main(["--clones", str(clones), "--output", str(folder)]) == 0
    return folder


def test_one_command_writes_the_model_and_its_card(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == ["general.json", "general.onnx"]
    bundle = Bundle.load(made / "general.onnx")
    card = json.loads((made / "general.json").read_bytes())
    assert card["sha256"] == sha256(bundle.data).hexdigest()
    assert card["command"] == "make general-model CLONES=FOLDER"
    assert card["lineage"]["schema_hash"] == bundle.metadata.schema_hash
    assert len(card["data"]) == len(card["repositories"]) == len(NAMES)
    assert card["pulls"] == len(NAMES) * PULLS
    assert 0 < card["evaluation"]["pulls"] + card["evaluation"]["immature"] < card["pulls"] / 2
    left_out = [name for fold in card["unseen"] for name in fold["repositories"]]
    assert sorted(left_out) == card["repositories"]


def test_what_ships_has_learnt_from_the_latest_pulls_too(made: Path) -> None:
    bundle = Bundle.load(made / "general.onnx")
    card = json.loads((made / "general.json").read_bytes())
    until = max(bundle.metadata.facts.trained_until.values())
    assert (
        datetime.fromtimestamp(until / 1e6, UTC).date().isoformat() == card["evaluation"]["until"]
    )


def test_a_folder_without_clones_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert general.main(["--clones", str(tmp_path), "--output", str(tmp_path)]) == 4
    assert "--clones" in capsys.readouterr().err


def test_a_model_too_large_to_ship_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads((made / "general.json").read_bytes())
    card = msgspec.convert(found | {"unseen": []}, general.Card)
    monkeypatch.setattr(general, "LARGEST", card.bytes)
    with pytest.raises(ModelError, match="may ship"):
        general.write(Bundle.load(made / "general.onnx"), card, tmp_path)
    assert list(tmp_path.iterdir()) == []
