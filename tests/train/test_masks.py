"""What training hides so that a model learns to do without it."""

import numpy as np

from pullrisk.features import NAMES
from pullrisk.features.knowledge import FACTS, known_together, needing
from pullrisk.train.masks import Masking, Masks


def hidden_together(names: tuple[str, ...]) -> bool:
    places = [NAMES.index(name) for name in names]
    drawn = Masks.of(NAMES, Masking()).draw(np.random.default_rng(0), 2_000)[:, places]
    return bool((drawn.all(axis=1) == drawn.any(axis=1)).all())


def test_every_fact_names_features_that_there_are() -> None:
    assert {name for names in FACTS.values() for name in names} <= set(NAMES)


def test_features_of_one_fact_are_hidden_together() -> None:
    assert hidden_together(FACTS["opening"])
    assert not hidden_together((*FACTS["opening"], "additions"))


def test_each_pattern_hides_its_share_of_the_rows() -> None:
    masks = Masks.of(NAMES, Masking(clone=0.0, listed=0.0, author=0.2, fact=0.0))
    drawn = masks.draw(np.random.default_rng(0), 10_000)
    shares = drawn.mean(axis=0)
    author = needing(["author"], NAMES)
    np.testing.assert_allclose(shares[author], 0.2, atol=0.02)
    assert not shares[~author].any()


def test_a_table_of_other_features_has_nothing_to_hide() -> None:
    masks = Masks.of(["loc", "age"], Masking())
    assert not masks.draw(np.random.default_rng(0), 100).any()


def test_features_that_need_the_same_facts_are_of_one_group() -> None:
    names = ["additions", "deletions", "title_length", "author_churn_score", "hour_sine"]
    group = known_together(names).tolist()
    assert group[0] == group[1]
    assert len({*group}) == 4
