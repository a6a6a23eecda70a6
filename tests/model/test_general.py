from pathlib import Path

import pullrisk.model
from pullrisk.features import FEATURES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle


def test_the_bundled_model_speaks_of_the_features_as_this_version_words_them() -> None:
    bundle = Bundle.load(Path(pullrisk.model.__file__).with_name("general.onnx"))

    assert bundle.metadata.schema_hash == SCHEMA_HASH
    assert tuple(bundle.metadata.features) == FEATURES
