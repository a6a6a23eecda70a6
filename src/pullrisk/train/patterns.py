"""Finds the patterns of a trained network: k-means on its code, each cluster named."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Indices
from pullrisk.errors import needs_extra
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import Pattern, Patterns
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import Dataset
from pullrisk.train.table_columns import pull_texts, texts_of_rows

CLUSTERS: Final = 12
"""Patterns of a model; fewer where there are few pulls."""
_PULLS_A_CLUSTER: Final = 40
_MOST_ROWS: Final = 24_000


def find_patterns(
    bundle: Bundle, dataset: Dataset, past: Bools, *, seed: int = 0
) -> Patterns | None:
    """Cluster the code of the pulls `past` [n] (some, evenly chosen, where there are many).

    None if there are too few of them for two patterns.
    """
    rows = np.flatnonzero(past)
    rows = rows[:: max(1, -(-len(rows) // _MOST_ROWS))]
    clusters = min(CLUSTERS, len(rows) // _PULLS_A_CLUSTER)
    if clusters < 2:
        return None
    code = bundle.raw(dataset.x[rows])[2]
    centres, label = _cluster(code, clusters, seed)
    means = _means(bundle, dataset.x[rows], label, clusters)
    named = name_all(means, _work(bundle, dataset, rows, label, clusters))
    each = tuple(
        Pattern(name, _short(centre), traits)
        for (name, traits), centre in zip(named, centres, strict=True)
    )
    return Patterns(each, [_short(axis) for axis in _axes(code)])


def _cluster(code: Float32, clusters: int, seed: int) -> tuple[Float32, Indices]:
    """Centres [clusters, k], the largest cluster first, and each row's cluster [n]."""
    with needs_extra("train", library="scikit-learn"):
        from sklearn.cluster import KMeans
    learner = KMeans(clusters, n_init=2, random_state=seed)
    label = learner.fit_predict(code)
    order = np.argsort(-np.bincount(label, minlength=clusters), kind="stable")
    return learner.cluster_centers_[order], np.argsort(order)[label]


def _means(bundle: Bundle, x: Float32, label: Indices, clusters: int) -> list[dict[str, float]]:
    """Each cluster's mean of each feature, in standard deviations from the mean of all rows.

    What is unknown of a pull counts as the mean.
    """
    features = bundle.metadata.features
    z = np.nan_to_num(Scaling.fit(x, features).apply(x))
    return [
        dict(
            zip(
                (feature.name for feature in features),
                z[label == cluster].mean(0).tolist(),
                strict=True,
            )
        )
        for cluster in range(clusters)
    ]


def _work(
    bundle: Bundle, dataset: Dataset, rows: Indices, label: Indices, clusters: int
) -> list[dict[str, float]]:
    """The share of every category among each cluster's pulls; empty if none are told."""
    texts = texts_of_rows(dataset.texts, rows)
    probabilities = None if texts is None else bundle.categories(dataset.x[rows], pull_texts(texts))
    if probabilities is None:
        return [{} for _ in range(clusters)]
    return [
        dict(zip(bundle.metadata.categories, shares.tolist(), strict=True))
        for shares in (probabilities[label == cluster].mean(0) for cluster in range(clusters))
    ]


def _axes(code: Float32) -> Float32:
    """The two principal directions of codes [n, k], [2, k], signs fixed."""
    _, directions = np.linalg.eigh(np.cov(code.T.astype(np.float64)))
    axes = directions[:, -1:-3:-1].T
    return np.asarray(axes * np.sign(axes.sum(axis=1, keepdims=True) + 1e-12), np.float32)


def _short(values: Float32) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


STANDS_OUT: Final = 0.6
"""Standard deviations from the mean of all pulls at which a trait is worth telling."""
_LEAST_SHARE: Final = 0.4
_LEAST_SHARE_OF_TWO: Final = 0.55
"""Shares of a cluster's pulls that a kind of work, or two of them, must have to name it."""
_WORK: Final = {
    "feature": "feature",
    "fix": "fix",
    "refactor": "refactoring",
    "performance": "performance work",
    "documentation": "documentation",
    "tests": "test change",
    "CI and build": "CI and build change",
    "dependency update": "dependency update",
    "release": "release",
    "revert": "revert",
    "other": "chore",
}
_ANY_WORK: Final = "change"
_SAME: Final = {"in the docs": "documentation", "with tests": "test change", "in CI": "CI"}
"""Words that say nothing beside what they are about."""

SIZE: Final = (
    ("additions", "large", "small"),
    ("changed_files", "wide", "small"),
)
WHERE: Final = (
    ("vendored_files", "in vendored code", None),
    ("file_heat_max", "in hot files", "in quiet files"),
    ("new_files_share", "of new files", None),
    ("files_removed", "that removes files", None),
    ("files_renamed", "that moves files", None),
    ("file_failure_rate_max", "where changes failed before", None),
    ("docs_files", "in the docs", None),
    ("test_files", "with tests", None),
    ("ci_files", "in CI", None),
    ("config_files", "of configuration", None),
    ("file_idle_min", "in long untouched files", None),
)
WHO: Final = (
    ("author_bot", "by a bot", None),
    ("author_new", "by a first-time author", None),
    ("author_merged", "by a regular", "by a newcomer"),
    ("author_known_files", "by who knows the files", None),
    ("author_failure_rate", "by an author whose changes failed before", None),
    ("from_fork", "from a fork", None),
)
WHEN: Final = (
    ("repository_recent_failure_rate", "in troubled weeks", None),
    ("merges_this_week", "in busy weeks", "in slow weeks"),
    ("opened_weekend", "at the weekend", None),
    ("commits", "of many commits", None),
)
"""Traits by slot: feature, words where it is high, words where it is low (None: untold)."""


class Trait(msgspec.Struct, frozen=True):
    """Something that stands out, and by how many standard deviations."""

    words: str
    strength: float


def name_all(
    means: Sequence[Mapping[str, float]], work: Sequence[Mapping[str, float]]
) -> list[tuple[str, tuple[str, ...]]]:
    """A name of its own, and the traits strongest first, for each cluster.

    `means` are the mean of each feature in standard deviations from that of all pulls; `work`
    the shares of each category among the cluster's pulls, empty if categories are not told.
    """
    taken: Counter[str] = Counter()
    named = []
    for mean, shares in zip(means, work, strict=True):
        candidates, traits = _candidates(mean, shares)
        name = next((each for each in candidates if not taken[each]), candidates[-1])
        taken[name] += 1
        unique = name if taken[name] == 1 else f"{name} ({taken[name]})"
        named.append((unique, tuple(trait.words for trait in traits)))
    return named


def _candidates(
    mean: Mapping[str, float], work: Mapping[str, float]
) -> tuple[list[str], list[Trait]]:
    """Names from the shortest that says enough to the longest, and all that stands out."""
    size = _strongest(_standing_out(SIZE, mean))
    noun = _work_of(work)
    slots = [_strongest(_telling(slot, mean, noun)) for slot in (WHERE, WHO, WHEN)]
    places = sorted((trait for trait in slots if trait), key=lambda trait: -trait.strength)
    plain = f"ordinary {noun}" if not places else noun
    start = f"{size.words} {noun}" if size else plain
    traits = [trait for slot in (SIZE, WHERE, WHO, WHEN) for trait in _standing_out(slot, mean)]
    rest = sorted(traits, key=lambda trait: -trait.strength)
    # In the order of speech: where, by whom, when.
    chosen = [[one for one in slots if one in places[:count]] for count in (2, 3)]
    names = [" ".join([start, *(trait.words for trait in some if trait)]) for some in chosen]
    spare = [trait for trait in rest if trait not in (size, *places)]
    return [*names, *(f"{names[-1]}, {trait.words}" for trait in spare)], rest


def _work_of(shares: Mapping[str, float]) -> str:
    if not shares:
        return _ANY_WORK
    first, second = sorted(shares, key=lambda category: -shares[category])[:2]
    if shares[first] >= _LEAST_SHARE:
        return _WORK.get(first, first)
    both = shares[first] + shares[second] >= _LEAST_SHARE_OF_TWO
    return f"{_WORK.get(first, first)} or {_WORK.get(second, second)}" if both else _ANY_WORK


def _telling(
    slot: Iterable[tuple[str, str, str | None]], mean: Mapping[str, float], noun: str
) -> list[Trait]:
    """What stands out and is not said by the noun."""
    return [trait for trait in _standing_out(slot, mean) if _SAME.get(trait.words, "?") not in noun]


def _standing_out(
    slot: Iterable[tuple[str, str, str | None]], mean: Mapping[str, float]
) -> list[Trait]:
    traits = []
    for feature, high, low in slot:
        value = mean.get(feature, 0.0)
        words = high if value >= 0 else low
        if words and abs(value) >= STANDS_OUT:
            traits.append(Trait(words, abs(value)))
    return traits


def _strongest(traits: Sequence[Trait]) -> Trait | None:
    return max(traits, key=lambda trait: trait.strength, default=None)
