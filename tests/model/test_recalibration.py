import numpy as np

from pullrisk.model.metadata import OperatingPoints
from support.tables import NAMES, feature_table
from support.training import quick_dataset, shared_training


def test_bands_of_an_unknown_repository_become_shares_of_its_own_pulls() -> None:
    bundle = shared_training()[1].bundle
    x = np.abs(quick_dataset(feature_table(seed=9, repositories=1)).x)
    x[:, 2] = 0.3  # everybody fails often: all are riskier than elsewhere
    points = OperatingPoints(high=0.1, elevated=0.2)
    before = bundle.score(x, "new/one", points=points).bands.count("high")
    home = bundle.recalibrated_for("new/one", x)
    after = home.score(x, "new/one", points=points).bands.count("high")
    assert before > 0.5 * len(x)
    assert 0.05 * len(x) < after < 0.2 * len(x)


def test_what_is_usual_is_the_repository_s_own_median() -> None:
    bundle = shared_training()[1].bundle
    x = np.full((5, len(bundle.metadata.features)), 3, np.float32)
    home = bundle.recalibrated_for("new/one", x)
    assert home.metadata.typical.row("new/one").tolist() == x[0].tolist()
    pooled = bundle.metadata.typical.row()
    assert np.array_equal(home.metadata.typical.row("other/two"), pooled)


def test_scores_themselves_and_other_repositories_stay_as_they_were() -> None:
    bundle = shared_training()[1].bundle
    x = np.abs(quick_dataset(feature_table(seed=9, repositories=1)).x)
    home = bundle.recalibrated_for("new/one", x)
    assert np.array_equal(home.raw(x)[0], bundle.raw(x)[0])
    assert home.thresholds("owner/0") == bundle.thresholds("owner/0")
    assert bundle.recalibrated_for("new/one", x[:0]) is bundle


def test_what_no_pull_of_the_repository_knew_changes_no_score_once_it_is_known() -> None:
    bundle = shared_training()[1].bundle
    x = np.abs(quick_dataset(feature_table(seed=9, repositories=1)).x)
    blind = x.copy()
    blind[:, 4] = np.nan
    home = bundle.recalibrated_for("new/one", blind)
    one, two = home.score(x, "new/one"), home.score(blind, "new/one")
    assert np.array_equal(one.novelty, two.novelty)
    assert one.bands == two.bands
    quartiles = np.quantile(one.novelty, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [25, 50, 75], atol=10)


def test_a_pull_by_an_unknown_author_is_ranked_as_if_all_authors_were_unknown() -> None:
    bundle = shared_training()[1].bundle
    x = np.abs(quick_dataset(feature_table(seed=9, repositories=1)).x)
    home = bundle.recalibrated_for("new/one", x)
    unsigned = x.copy()
    unsigned[:, [NAMES.index("author_failure_rate"), NAMES.index("author_new")]] = np.nan
    quartiles = np.quantile(home.score(unsigned, "new/one").novelty, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [25, 50, 75], atol=10)
