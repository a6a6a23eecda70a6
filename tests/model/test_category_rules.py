import pytest

from pullrisk.features.pull_text import PullText
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.category_rules import KEYWORDS, category_by_rules, rule


@pytest.mark.parametrize(
    ("title", "paths", "category"),
    [
        ("Bump left-pad from 1.0 to 2.0", ("package.json",), "dependency update"),
        ("Something", ("go.mod", "go.sum"), "dependency update"),
        ("Something", ("docs/a.md", "README.md"), "documentation"),
        ("Something", ("tests/test_a.py",), "tests"),
        ("Something", (".github/workflows/ci.yml",), "CI and build"),
        ("Fix crash", ("src/a.py", "tests/test_a.py"), "fix"),
        ("Speed up the parser", ("src/a.py",), "performance"),
        ("Rename a module", ("src/a.py",), "refactor"),
        ("Add a call", ("src/a.py",), "feature"),
        ("v1.2.3", ("setup.cfg", "src/a.py"), "release"),
        ("Something", ("src/a.py",), "fix"),
        ("Something", (), "other"),
    ],
)
def test_files_and_words_decide(title: str, paths: tuple[str, ...], category: str) -> None:
    assert category_by_rules(PullText(title, (), paths, False)) == category


def test_a_body_that_names_what_it_reverts_decides_before_all_else() -> None:
    assert category_by_rules(PullText("Add a call", (), ("docs/a.md",), True)) == "revert"


def test_the_rules_do_not_see_the_prefix() -> None:
    paths = ("src/a.py",)
    assert category_by_rules(PullText("docs: Add a call", (), paths, False)) == "feature"


def test_every_rule_names_a_known_category() -> None:
    assert set(KEYWORDS) < set(CATEGORIES)
    assert rule([], frozenset(), reverts=False) in CATEGORIES
