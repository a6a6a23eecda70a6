"""Finds the patterns of a trained network: k-means on its code, each cluster named."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import MissingExtraError
from pullrisk.model.bundle import Bundle
from pullrisk.model.patterns import Pattern, Patterns
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import Dataset
from pullrisk.train.pattern_names import name_all
from pullrisk.train.said import each_said, said_of_rows

CLUSTERS: Final = 12
"""Patterns of a model; fewer where there are few pulls."""
_PULLS_A_CLUSTER: Final = 40
_MOST_ROWS: Final = 24_000


def find_patterns(
    bundle: Bundle, dataset: Dataset, past: NDArray[np.bool_], *, seed: int = 0
) -> Patterns | None:
    """Cluster the code of the pulls `past` [n] (some, evenly chosen, where there are many).

    None where there are too few of them for two patterns.
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


def _cluster(
    code: NDArray[np.float32], clusters: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Centres [clusters, k], the largest cluster first, and each row's cluster [n]."""
    learner = _import_cluster().KMeans(clusters, n_init=2, random_state=seed)
    label = learner.fit_predict(code)
    order = np.argsort(-np.bincount(label, minlength=clusters), kind="stable")
    return learner.cluster_centers_[order], np.argsort(order)[label]


def _means(
    bundle: Bundle, x: NDArray[np.float32], label: NDArray[np.intp], clusters: int
) -> list[dict[str, float]]:
    """Each cluster's mean of each feature, in standard deviations from the mean of all rows."""
    features = bundle.metadata.features
    z = Scaling.fit(x, features).apply(x)
    return [
        dict(
            zip(
                (feature.name for feature in features),
                z[label == one].mean(0).tolist(),
                strict=True,
            )
        )
        for one in range(clusters)
    ]


def _work(
    bundle: Bundle,
    dataset: Dataset,
    rows: NDArray[np.intp],
    label: NDArray[np.intp],
    clusters: int,
) -> list[dict[str, float]]:
    """The share of every category among each cluster's pulls; empty where none are told."""
    said = said_of_rows(dataset.said, rows)
    told = None if said is None else bundle.categories(dataset.x[rows], each_said(said))
    if told is None:
        return [{} for _ in range(clusters)]
    return [
        dict(zip(bundle.metadata.categories, told[label == one].mean(0).tolist(), strict=True))
        for one in range(clusters)
    ]


def _axes(code: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two principal directions of codes [n, k], [2, k], signs fixed."""
    _, directions = np.linalg.eigh(np.cov(code.T.astype(np.float64)))
    axes = directions[:, -1:-3:-1].T
    return np.asarray(axes * np.sign(axes.sum(axis=1, keepdims=True) + 1e-12), np.float32)


def _short(values: NDArray[np.float32]) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _import_cluster() -> Any:  # noqa: ANN401  (scikit-learn has no types)
    try:
        from sklearn import cluster
    except ImportError as error:
        raise MissingExtraError.of("scikit-learn", "train") from error
    return cluster
