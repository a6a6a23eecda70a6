import numpy as np
import pytest

from pullrisk.features.pull_text import PullText
from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.metadata import Pattern, Patterns
from pullrisk.progress import Silent
from pullrisk.train.dataset import Dataset
from pullrisk.train.figures import f1, judge_categories
from pullrisk.train.metrics import bootstrap_weights
from pullrisk.train.patterns import find_patterns, name_all
from pullrisk.train.table_columns import pull_texts
from pullrisk.train.training import Trained, TrainSettings, train
from pullrisk.train.warm_start import WarmStart
from support.tables import FEATURES, SCHEMA, TITLES, feature_table, with_titles
from support.training import QUICK, quick_dataset, quick_train, shared_training


@pytest.fixture(scope="module")
def told() -> tuple[Dataset, Trained]:
    """A model that tells categories, and its data."""
    dataset = quick_dataset(with_titles(feature_table(900))[0])
    return dataset, quick_train(dataset)


def test_the_graph_answers_with_probabilities_of_every_category(
    told: tuple[Dataset, Trained],
) -> None:
    dataset, trained = told
    assert dataset.texts is not None
    texts = pull_texts(dataset.texts)
    found = trained.bundle.score(dataset.x, texts=texts).category
    assert found is not None
    assert found.shape == (len(dataset), len(CATEGORIES))
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-4)
    alone = trained.bundle.categories(dataset.x[5:6], texts[5:6])
    assert alone == pytest.approx(found[5:6], abs=1e-5)


def test_without_words_the_graph_answers_from_the_features_alone(
    told: tuple[Dataset, Trained],
) -> None:
    dataset, trained = told
    texts = [PullText("", (), (), False)] * 3
    assert trained.bundle.score(dataset.x[:3]).category is None
    assert trained.bundle.categories(dataset.x[:3], texts) is not None


def test_a_prefix_does_not_move_the_networks_answer(told: tuple[Dataset, Trained]) -> None:
    dataset, trained = told
    x = dataset.x[:1].repeat(2, axis=0)
    words = "crash when the list is empty"
    texts = [
        PullText(prefix + words, (), ("src/list.py",), False) for prefix in ("docs: ", "feat: ")
    ]
    found = trained.bundle.categories(x, texts)
    assert found is not None
    assert np.array_equal(found[0], found[1])
    assert CATEGORIES[int(found[0].argmax())] == "fix"


def test_a_model_of_pulls_without_titles_tells_no_category() -> None:
    data, trained = shared_training()
    assert trained.bundle.metadata.categories == ()
    texts = [PullText("fix: it", (), (), False)]
    assert trained.bundle.categories(data.x[:1], texts) is None
    assert trained.bundle.score(data.x[:1], texts=texts).category is None
    rows = np.ones(len(data), bool)
    assert judge_categories(trained.bundle, data, rows, resamples=3, seed=0) is None


def test_fine_tuning_on_pulls_that_state_nothing_keeps_the_head(
    told: tuple[Dataset, Trained],
) -> None:
    bundle = told[1].bundle
    settings = TrainSettings(fit=QUICK)
    start = WarmStart.of(bundle, name="before")
    silent = quick_dataset(feature_table(900, seed=1))
    tuned = train(
        silent, FEATURES, settings, schema_hash=SCHEMA, start=start, progress=Silent()
    ).bundle
    texts = [PullText("explain the options", (), ("docs/options.md",), False)]
    assert tuned.metadata.categories == CATEGORIES
    found, before = (model.categories(silent.x[:1], texts) for model in (tuned, bundle))
    # What is unknown is read as the network's own default, which tuning moves a little.
    assert np.allclose(np.asarray(found), np.asarray(before), rtol=1e-3)


def test_later_pulls_are_told_better_than_by_the_rules(told: tuple[Dataset, Trained]) -> None:
    dataset, trained = told
    found = judge_categories(trained.bundle, dataset, trained.split.test, resamples=50, seed=0)
    assert found is not None
    assert {one.category for one in found.each} == set(TITLES)
    assert (found.macro_f1.value or 0) > 0.95
    assert found.macro_f1.low is not None
    assert sum(one.pulls for one in found.each) == found.pulls


def test_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    random = np.random.default_rng(0)
    truth, answers = random.integers(0, 4, 200).astype(np.int8), random.integers(0, 5, 200)
    weights = bootstrap_weights(200, resamples=1, seed=0)
    found = f1(answers, truth, weights, np.unique(truth))
    for row, weight in enumerate(weights):
        expected = f1_score(truth, answers, labels=range(4), average=None, sample_weight=weight)
        assert found[row] == pytest.approx(expected)


def test_every_pull_belongs_to_the_pattern_of_the_nearest_centre() -> None:
    data, trained = shared_training()
    patterns = trained.bundle.metadata.patterns
    assert patterns is not None
    code = trained.bundle.raw(data.x[:300])[2]
    centres = np.array([one.centre for one in patterns.each])
    distances = np.linalg.norm(code[:, None] - centres, axis=2)
    assert (patterns.of(code) == distances.argmin(axis=1)).all()
    assert patterns.on_map(code).shape == (300, 2)


def test_patterns_survive_the_models_file() -> None:
    _, trained = shared_training()
    again = Bundle.of(trained.bundle.data, schema_hash=SCHEMA)
    assert again.metadata.patterns == trained.bundle.metadata.patterns


def test_names_differ_and_the_same_data_gives_the_same_patterns() -> None:
    data, trained = shared_training()
    past = np.ones(len(data), bool)
    first, second = (find_patterns(trained.bundle, data, past) for _ in range(2))
    assert first is not None
    assert first == second
    names = [one.name for one in first.each]
    assert len(set(names)) == len(names)


def test_too_few_pulls_have_no_patterns() -> None:
    data, trained = shared_training()
    past = np.zeros(len(data), bool)
    past[:60] = True
    assert find_patterns(trained.bundle, data, past) is None


@pytest.mark.parametrize(
    ("means", "work", "name"),
    [
        (
            {"author_bot": 3.0, "additions": -1.0, "file_heat_max": 0.9},
            {"dependency update": 0.9, "fix": 0.1},
            "small dependency update in hot files by a bot",
        ),
        ({"author_new": 2.5, "docs_files": 2.0}, {"documentation": 0.8, "fix": 0.2},
         "documentation by a first-time author"),
        ({"additions": 2.0, "vendored_files": 3.0}, {"other": 0.3, "fix": 0.2},
         "large change in vendored code"),
        ({"author_merged": 1.0, "file_heat_max": 1.5}, {"fix": 0.6, "feature": 0.4},
         "fix in hot files by a regular"),
        ({"additions": 0.1}, {}, "ordinary change"),
        ({"opened_weekend": 2.0}, {"fix": 0.35, "feature": 0.3}, "fix or feature at the weekend"),
    ],
)  # fmt: skip
def test_a_name_says_what_stands_out(
    means: dict[str, float], work: dict[str, float], name: str
) -> None:
    assert name_all([means], [work])[0][0] == name


def test_clusters_alike_still_get_names_of_their_own() -> None:
    means = {"author_bot": 3.0, "merges_this_week": 1.0}
    more = {**means, "files_renamed": 0.7, "from_fork": 0.8}
    found = [name for name, _ in name_all([means, more, means], [{}, {}, {}])]
    assert len(set(found)) == 3
    assert found[1].startswith("change that moves files by a bot in busy weeks")


def test_a_map_shows_codes_along_the_two_axes() -> None:
    patterns = Patterns((Pattern("a", [1.0, 0.0, 0.0]),), [[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    assert patterns.on_map(np.array([[3.0, 4.0, 5.0]], np.float32)).tolist() == [[3.0, 10.0]]
