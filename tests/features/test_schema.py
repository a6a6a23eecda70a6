"""Topics of features."""

from pullrisk.features import NAMES
from pullrisk.features.schema import TOPICS


def test_every_name_in_a_topic_is_a_feature_and_stands_in_one_topic_only() -> None:
    named = [name for topic in TOPICS for name in topic]

    assert set(named) <= set(NAMES)
    assert len(set(named)) == len(named)
