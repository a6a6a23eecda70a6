from pathlib import Path

from generate_features import reference
from pullrisk.features import FEATURES, NAMES

ROOT = Path(__file__).parents[2]


def test_the_page_of_features_is_the_one_that_the_schema_makes() -> None:
    assert (ROOT / "docs/features.md").read_text() == reference(), "run `make docs`"


def test_every_feature_has_a_name_of_its_own_a_sentence_and_a_unit() -> None:
    assert len(set(NAMES)) == len(FEATURES)
    assert all(feature.sentence and feature.unit for feature in FEATURES)
