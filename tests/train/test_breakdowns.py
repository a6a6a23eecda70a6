"""Segments and costs, on windows small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pullrisk.progress import Silent
from pullrisk.train.breakdowns import costs, segments
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import OURS, Segment
from pullrisk.train.judged import Judged
from support.tables import feature_table
from support.training import quick_dataset, shared_training

DRAWN = {"resamples": 20, "seed": 3}


def judged(
    *,
    bot: list[int] | None = None,
    merged: list[int] | None = None,
    agent: list[float] | None = None,
    labels: list[int],
    size: int,
) -> tuple[Dataset, Judged]:
    """Pulls of one repository of `size` pulls, risk falling from the first to the last."""
    n = len(labels)
    columns = {"author_bot": bot, "author_merged": merged, "author_agent": agent}
    known = {name: values for name, values in columns.items() if values is not None}
    data = quick_dataset(feature_table(pulls=n, repositories=1, rate=0.0))
    x = np.array(list(known.values()), np.float32).T if known else np.empty((n, 0), np.float32)
    risk = np.linspace(0.9, 0.1, n)
    pulls = replace(data, names=tuple(known), x=x)
    dataset = pulls.take(np.arange(size) % n)
    rows, groups = np.arange(size) < n, pulls.repository
    return dataset, Judged(rows, np.array(labels, np.int8), groups, None, None, {OURS: risk})


def segments_of(window: tuple[Dataset, Judged]) -> list[Segment]:
    return segments(*window, resamples=20, seed=3)


def test_each_author_falls_into_one_segment_and_bots_into_none_of_newness() -> None:
    found = segments_of(
        judged(bot=[0, 0, 0, 0, 1], merged=[0, 1, 99, 100, 0], labels=[1, 0, 1, 0, 0], size=50)
    )
    counts = {(one.kind, one.name): (one.pulls, one.positives) for one in found}
    assert counts == {
        ("repository", "under 2,000 pulls"): (5, 2),
        ("account", "person"): (4, 2),
        ("account", "bot"): (1, 0),
        ("author", "first pull"): (1, 1),
        ("author", "1 to 9 pulls before"): (1, 0),
        ("author", "10 to 99 before"): (1, 1),
        ("author", "100 or more before"): (1, 0),
    }


def test_coding_agents_are_told_apart_where_it_is_known() -> None:
    agent = [1.0, 0.0, 0.0, float("nan")]
    found = segments_of(judged(agent=agent, labels=[1, 0, 1, 0], size=4))
    counts = {one.name: (one.pulls, one.positives) for one in found if one.kind == "coding agent"}
    assert counts == {"named": (1, 1), "not named": (2, 1)}


def test_a_pull_is_of_the_language_that_most_of_its_source_files_have() -> None:
    paths = [["a.py", "b.py", "c.go"], ["d.go", "README.md"], ["README.md"], []]
    dataset, one = judged(labels=[1, 0, 1, 0], size=4)
    texts = pa.table({"paths": pa.array(paths, pa.list_(pa.string()))})
    found = segments_of((replace(dataset, texts=texts), one))
    counts = {one.name: (one.pulls, one.positives) for one in found if one.kind == "language"}
    assert counts == {".py": (1, 1), ".go": (1, 0)}


def test_the_precision_of_a_segment_is_that_of_its_flagged_pulls() -> None:
    labels = [1, 0] + [0] * 18
    found = segments_of(judged(bot=[1, 1] + [0] * 18, labels=labels, size=20))
    assert {one.name: one.precision.value for one in found if one.kind == "account"} == {
        "bot": 0.5,
        "person": None,
    }


@pytest.mark.parametrize(
    ("size", "name"),
    [(1_999, "under 2,000 pulls"), (2_000, "2,000 to 10,000"), (10_000, "2,000 to 10,000"),
     (10_001, "over 10,000")],
)  # fmt: skip
def test_a_repository_s_size_is_all_it_ever_merged(size: int, name: str) -> None:
    (found,) = segments_of(judged(labels=[1, 0, 0], size=size))
    assert (found.kind, found.name) == ("repository", name)


def test_flagged_counts_the_riskiest_tenth_of_the_repository_not_of_the_segment() -> None:
    labels = [1] + [0] * 19
    found = segments_of(judged(bot=[1, 1] + [0] * 18, labels=labels, size=20))
    bots = next(one for one in found if one.name == "bot")
    people = next(one for one in found if one.name == "person")
    assert (bots.flagged, bots.caught.value) == (1.0, 1.0)
    assert (people.flagged, people.caught.value) == (0.0, None)
    assert people.predicted == pytest.approx(np.linspace(0.9, 0.1, 20)[2:].mean())


def test_costs_count_the_reviews_for_each_revert_caught() -> None:
    labels = [0, 1, 0, 0, 0, 0] + [0] * 13 + [1]
    at = {round(100 * one.share): one for one in costs(judged(labels=labels, size=20)[1], **DRAWN)}
    assert (at[5].reviews, at[5].caught, at[5].reviews_per_catch.value) == (1, 0, None)
    assert (at[10].reviews, at[10].caught, at[10].reviews_per_catch.value) == (2, 1, 2.0)
    assert (at[30].reviews, at[30].caught, at[30].reviews_per_catch.value) == (6, 1, 6.0)
    assert at[30].caught_share.value == 0.5
    assert at[30].reviews_per_catch_at_random == 10.0


def test_an_evaluation_carries_both_and_its_segments_add_up() -> None:
    data, trained = shared_training()
    options = Options(baselines=False, resamples=5)
    found = evaluate(trained.bundle, data, options=options, progress=Silent())
    assert [one.share for one in found.costs] == [0.05, 0.10, 0.30]
    sizes = [one for one in found.segments if one.kind == "repository"]
    assert sum(one.pulls for one in sizes) == found.pulls
    assert sum(one.positives for one in sizes) == found.positives
    ours = found.models["pullrisk"].ranking
    assert sizes[0].auc.value == pytest.approx(ours["within_auc_weighted"].value)
    assert found.costs[1].caught_share.value == pytest.approx(ours["top_10"].value)


def test_without_a_positive_there_is_nothing_to_break_down() -> None:
    data, trained = shared_training()
    clean = replace(data, reverted_at=np.full(len(data), np.iinfo(np.int64).max))
    found = evaluate(
        trained.bundle, clean, options=Options(baselines=False, resamples=5), progress=Silent()
    )
    assert (found.segments, found.costs) == ([], [])


def test_a_single_repository_is_judged_like_any() -> None:
    data, trained = shared_training()
    own: Dataset = data.take(data.repository == 0)
    found = evaluate(
        trained.bundle, own, options=Options(baselines=False, resamples=5), progress=Silent()
    )
    ranking = found.models["pullrisk"].ranking
    assert ranking["within_auc"].value == pytest.approx(ranking["pooled_auc"].value)
