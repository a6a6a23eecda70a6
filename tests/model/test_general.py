import json
from hashlib import sha256
from importlib.resources import files

from pullrisk.features import FEATURES, SCHEMA_HASH
from pullrisk.model.general import CARD_FILE, MODEL_FILE, general_bundle


def test_the_bundled_model_speaks_of_the_features_as_this_version_words_them() -> None:
    bundle = general_bundle()

    assert bundle.metadata.schema_hash == SCHEMA_HASH
    assert tuple(bundle.metadata.features) == FEATURES


def test_the_card_beside_it_is_of_this_very_model_and_both_are_small() -> None:
    folder = files("pullrisk.model")
    model, text = (folder.joinpath(name).read_bytes() for name in (MODEL_FILE, CARD_FILE))
    card = json.loads(text)

    assert card["sha256"] == sha256(model).hexdigest()
    assert len(model) + len(text) <= 3_000_000
    assert card["lineage"]["schema_hash"] == SCHEMA_HASH
    assert len(card["repositories"]) == 17
