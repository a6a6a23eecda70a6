"""Feature values in words."""

import pytest

from pullrisk.features import FEATURES, NAMES
from pullrisk.features.schema import NEVER, TOPICS, Feature, quantity, usual_phrase, value_phrase


def test_every_name_in_a_topic_is_a_feature_and_stands_in_one_topic_only() -> None:
    named = [name for topic in TOPICS for name in topic]

    assert set(named) <= set(NAMES)
    assert len(set(named)) == len(named)


FILES = Feature("files_new_to_author", "files", "files", "files this author never touched", "log")
SHARE = Feature("file_share", "files", "share", "share of the files")
FLAG = Feature("from_fork", "author", "flag", "the branch is in a fork", "flag")


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("files", 14, "14 files"),
        ("files", 1, "1 file"),
        ("files", 1234, "1,234 files"),
        ("days", 2.53, "2.5 days"),
        ("directories", 1, "1 directory"),
        ("share", 0.12, "12 %"),
        ("share", 0.004, "0.4 %"),
        ("standard deviations", 1.84, "+1.8 standard deviations"),
        ("ratio", 3.2, "3.2"),
    ],
)
def test_a_quantity_has_its_unit(unit: str, value: float, expected: str) -> None:
    assert quantity(Feature("f", "size", unit, "a feature"), value) == expected


def test_a_count_is_told_beside_the_usual_one() -> None:
    assert value_phrase(FILES, 14, 2) == "14 files this author never touched, usually 2"
    assert value_phrase(FILES, 1, 0) == "1 file this author never touched, usually 0"
    assert value_phrase(FILES, 3, 3) == "3 files this author never touched"


def test_a_counterfactual_takes_away_what_is_unusual() -> None:
    assert usual_phrase(FILES, 14, 0) == "without the 14 files this author never touched"
    assert usual_phrase(FILES, 14, 2) == "with 2 instead of 14 files this author never touched"
    assert usual_phrase(SHARE, 0.5, 0.1) == "with share of the files at the usual 10 %"


def test_other_features_come_after_their_sentence() -> None:
    assert value_phrase(SHARE, 0.5, 0.1) == "share of the files: 50 %, usually 10 %"


def test_a_flag_is_told_as_a_sentence() -> None:
    assert value_phrase(FLAG, 1, 0) == "the branch is in a fork"
    assert value_phrase(FLAG, 0, 1) == "not so here: the branch is in a fork"
    assert usual_phrase(FLAG, 1, 0) == "were it not that the branch is in a fork"


def test_days_since_something_that_never_happened_say_never() -> None:
    since = Feature("since", "files", "days", "time since a file failed", "log")
    assert value_phrase(since, 19, NEVER) == "time since a file failed: 19 days, usually never"


def test_every_feature_of_this_version_has_words() -> None:
    for feature in FEATURES:
        for value in (0.0, 1.0, 0.37, 5000.0):
            assert value_phrase(feature, value, 0.0)
            assert usual_phrase(feature, value, 0.0)


def test_next_to_nothing_is_nothing() -> None:
    feature = Feature("heat", "files", "pulls", "pulls that touched the file", "log")
    assert value_phrase(feature, 1.5e-7, 1.2) == "0 pulls that touched the file, usually 1.2"
