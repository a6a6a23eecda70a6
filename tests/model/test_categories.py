import numpy as np
import pytest

from pullrisk.features.pull_text import PullText
from pullrisk.model.categories import CATEGORIES, answers, labelled, stated


@pytest.mark.parametrize(
    ("title", "category", "rest"),
    [
        ("fix: crash on start", "fix", "crash on start"),
        ("feat(api)!: new call", "feature", "new call"),
        ("Docs: typo", "documentation", "typo"),
        ("chore(deps): bump a from 1.0 to 2.0", "dependency update", "bump a from 1.0 to 2.0"),
        ("build(deps-dev): bump a", "dependency update", "bump a"),
        ("fix(deps): take a 2", "dependency update", "take a 2"),
        ("fix(docs): link", "fix", "link"),
        ("chore(ci): faster runners", "CI and build", "faster runners"),
        ("chore(release): 5.76.0", "release", "5.76.0"),
        ("chore: tidy the headers", "other", "tidy the headers"),
        ("perf(parser): fewer copies", "performance", "fewer copies"),
        ("revert: feat: new call", "revert", "feat: new call"),
        ('Revert "Add a call (#12)"', "revert", "Add a call (#12)"),
        ("Release 1.2.0", "release", "1.2.0"),
        ("Bump version to 0.4.1", "release", "0.4.1"),
        ("Prepare for release v2", "release", "v2"),
        (":bug: crash on start", "fix", "crash on start"),
        ("✨ New call", "feature", "New call"),
        ("⬆️ a 2.0", "dependency update", "a 2.0"),
        ("[docs] Guide for the call", "documentation", "Guide for the call"),
        ("[5.x] [fix] Crash", "fix", "[5.x] Crash"),
        ("[13.x] feat: Add a call", "feature", "[13.x] Add a call"),
    ],
)
def test_a_prefix_states_the_category_and_is_taken_away(
    title: str, category: str, rest: str
) -> None:
    assert stated(title) == (category, rest)


@pytest.mark.parametrize(
    "title",
    [
        "",
        "Fix crash on start",
        "core: new call",
        "[ty] Infer more",
        "KAFKA-123: Fix crash",
        "Released memory is used again",
        "Version the cache by its schema",
        "Reverting is hard",
        "chore: bump a to 2.0",  # a habit of some teams; the prefix says nothing of the matter
        "chore: prepare release",
        "https://example.org: a link",
    ],
)
def test_a_title_that_states_nothing_stays_as_it_is(title: str) -> None:
    assert stated(title) == (None, title)


@pytest.mark.parametrize(
    ("labels", "category"),
    [
        (("kind/bug", "area/cli"), "fix"),
        (("type: documentation",), "documentation"),
        (("C-enhancement",), "feature"),
        (("New Feature",), "feature"),
        (("dependencies", "rust"), "dependency update"),
        (("bug", "documentation"), None),
        (("bug", "bugfix"), "fix"),
        (("p1",), None),
        ((), None),
    ],
)
def test_labels_state_a_category_unless_they_name_several(
    labels: tuple[str, ...], category: str | None
) -> None:
    assert labelled(labels) == category


def test_every_stated_category_is_one_that_the_network_knows() -> None:
    titles = ("fix: a", "docs: a", "ci: a", "chore: a", "test: a", "refactor: a", "🔖 a")
    assert {stated(title).category for title in titles} <= set(CATEGORIES)


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
