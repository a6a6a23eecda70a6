import numpy as np
import pyarrow as pa
import pytest

from pullrisk.features.schema import Feature
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.category_head import CategoryHead, token_rows, visible
from pullrisk.train.categories import LEAST_STATED, UNSTATED, fit_category_head, stated_categories
from pullrisk.train.dataset import Dataset
from pullrisk.train.table_columns import pull_texts
from support.tables import FEATURES, NAMES, feature_table, with_titles


def fitted(table: pa.Table) -> tuple[CategoryHead | None, Dataset]:
    dataset = Dataset.from_table(table, NAMES)
    rows = np.arange(len(dataset) // 2)
    z = np.clip(dataset.x[rows] / 100, -5, 5).astype(np.float32)
    return fit_category_head(dataset, z, rows, FEATURES), dataset


def told(head: CategoryHead, dataset: Dataset, rows: np.ndarray) -> list[str]:
    """The head's answers by its definition, in numpy."""
    assert dataset.texts is not None
    tokens = token_rows(pull_texts(dataset.texts.take(rows)))
    z = np.clip(dataset.x[rows] / 100, -5, 5).astype(np.float32)
    logits = head.words.astype(np.float32)[tokens].sum(1) + z @ head.wide + head.bias
    return [CATEGORIES[place] for place in logits.argmax(1)]


def test_a_head_tells_the_category_of_later_pulls_from_their_words_and_paths() -> None:
    head, dataset = fitted(with_titles(feature_table(600))[0])
    assert head is not None
    assert dataset.texts is not None
    later = np.arange(len(dataset) // 2, len(dataset))
    titles = dataset.texts["title"].take(later).to_pylist()
    silent = [place for place, title in enumerate(titles) if ":" not in title]
    answers = told(head, dataset, later)
    words = {"crash": "fix", "explain": "documentation", "allow": "feature"}
    right = [words.get(titles[place].split()[0], "dependency update") for place in silent]
    assert [answers[place] for place in silent] == right


def test_the_same_pulls_give_the_same_weights() -> None:
    table, _ = with_titles(feature_table(600))
    (first, _), (second, _) = fitted(table), fitted(table)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.words, second.words)
    assert np.array_equal(first.wide, second.wide)


def test_labels_teach_where_titles_state_nothing() -> None:
    table, names = with_titles(feature_table(600))
    titles = [title.partition(": ")[2] or title for title in table["title"].to_pylist()]
    label = {"fix": "bug", "documentation": "docs", "feature": "enhancement"}
    labels = [[label.get(name, "dependencies")] for name in names]
    for column, values in (("title", titles), ("labels", labels)):
        place = table.column_names.index(column)
        table = table.set_column(place, column, pa.array(values, table[column].type))
    found = stated_categories(table)
    assert [CATEGORIES[place] for place in found] == names


@pytest.mark.parametrize("missing", ["title", "paths"])
def test_a_table_without_titles_or_paths_teaches_no_head(missing: str) -> None:
    head, dataset = fitted(with_titles(feature_table(300))[0].drop_columns([missing]))
    assert dataset.texts is None
    assert head is None


def test_too_few_prefixes_teach_no_head() -> None:
    table, _ = with_titles(feature_table(300))
    titles = ["plain words"] * table.num_rows
    titles[: LEAST_STATED // 2] = ["fix: words"] * (LEAST_STATED // 2)
    place = table.column_names.index("title")
    silent = table.set_column(place, "title", pa.array(titles))
    assert fitted(silent)[0] is None
    assert (stated_categories(silent) != UNSTATED).sum() == LEAST_STATED // 2


def test_a_category_without_examples_is_never_the_answer() -> None:
    head, dataset = fitted(with_titles(feature_table(600))[0])
    assert head is not None
    assert "release" not in told(head, dataset, np.arange(len(dataset)))
    unseen = CATEGORIES.index("release")
    assert not head.words[:, unseen].any()


def test_features_of_the_raw_title_are_hidden_from_the_head() -> None:
    texts = Feature("title_says_fix", "title", "flag", "the title speaks of a fix", "flag")
    assert visible([*FEATURES, texts]).tolist() == [True] * len(FEATURES) + [False]
