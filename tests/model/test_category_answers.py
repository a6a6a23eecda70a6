import numpy as np

from pullrisk.features.pull_text import PullText
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.category_answers import answers

LIKELY_FIX = np.full((1, len(CATEGORIES)), 0.05, np.float32)
LIKELY_FIX[0, CATEGORIES.index("fix")] = 0.5


def answered(title: str, *labels: str) -> tuple[str, float, str]:
    (found,) = answers(CATEGORIES, LIKELY_FIX, [PullText(title, labels, (), False)])
    return found.name, round(found.probability, 3), found.source


def test_the_network_answers_for_a_pull_that_states_nothing() -> None:
    assert answered("Handle an empty list") == ("fix", 0.5, "network")


def test_what_the_title_states_is_the_answer_with_the_networks_probability_of_it() -> None:
    assert answered("docs: handle an empty list") == ("documentation", 0.05, "title")


def test_labels_answer_where_the_title_states_nothing() -> None:
    assert answered("Handle an empty list", "type: docs") == ("documentation", 0.05, "labels")
    assert answered("fix: handle it", "docs") == ("fix", 0.5, "title")


def test_a_category_that_the_model_does_not_know_is_left_to_the_network() -> None:
    (found,) = answers(
        ("feature", "fix"), np.array([[0.2, 0.8]]), [PullText("docs: a", (), (), False)]
    )
    assert (found.name, found.source) == ("fix", "network")
