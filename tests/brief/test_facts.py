from pullrisk.brief.facts import FACTS, KINDS, masks
from pullrisk.brief.sentences import SENTENCES
from pullrisk.features import NAMES


def test_every_feature_is_part_of_one_fact_at_most_and_each_fact_has_a_sentence() -> None:
    named = [name for names in FACTS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= set(NAMES)
    assert set(FACTS) == set(SENTENCES)


def test_the_masks_divide_the_columns_of_a_row_among_the_facts() -> None:
    made = masks(NAMES)
    assert made.shape == (len(KINDS), len(NAMES))
    assert (made.sum(axis=0) == 1).all()
    assert made[-1, NAMES.index("hour_sine")]


def test_no_title_word_time_of_day_or_record_of_failures_of_a_person_is_ever_told() -> None:
    unsaid = {
        name
        for name in NAMES
        if name.startswith(("title_says", "title_failure", "title_like", "hour_", "opened_"))
    } | {"author_failure_rate", "author_failures", "author_repairs", "author_repair_rate"}
    assert not unsaid & {name for names in FACTS.values() for name in names}
