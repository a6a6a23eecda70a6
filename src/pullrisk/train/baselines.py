"""The plain models that the network must beat, each tuned and trained on the same windows.

Tuning picks the setting of the best pooled AUC on the validation window, from a model fitted
on the training window; the chosen setting is then fitted on both, which the network is not:
where it wins, it wins against an advantage.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from pullrisk.arrays import Bools, Float32, Float64, Int8
from pullrisk.errors import needs_extra
from pullrisk.features.schema import Feature
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.metrics import pooled_auc
from pullrisk.train.ranking import ADDITIONS, CODE_ADDED

LINES_ADDED: Final = "lines added"
CODE_LINES_ADDED: Final = "code lines added"
LOGISTIC: Final = "logistic regression"
BOOSTING: Final = "gradient boosting"
ISOLATION: Final = "IsolationForest"
_PENALTIES: Final = (0.0003, 0.001, 0.003, 0.01, 0.03)
_TREES: Final = ((4, 60), (4, 120), (8, 60), (8, 120))
_ISOLATION_ROWS: Final = 50_000
MOST_NEGATIVES: Final = 30
"""Negatives for each positive that a baseline learns from: more cost time.

What more would tell was not measured."""

Scorer = Callable[[Float32], Float64]
"""Raw rows [n, d] to scores [n], higher for more risk (or more unusual)."""
Fitted = Mapping[Any, Scorer]
"""What a learner's settings gave, by setting."""


@dataclass(frozen=True, slots=True)
class Past:
    """What baselines may learn from: raw rows [n, d], labels [n], which rows are validation."""

    x: Float32
    labels: Int8
    validation: Bools

    def labelled(self, rows: Bools) -> tuple[Float32, Int8]:
        """Rows and labels of the masked rows that have a label."""
        known = rows & (self.labels != UNKNOWN)
        return self.x[known], self.labels[known]

    def thinned(self, seed: int) -> "Past":
        """The labelled rows: all positives, MOST_NEGATIVES negatives for each, drawn by chance."""
        negatives = np.flatnonzero(self.labels == 0)
        positives = np.flatnonzero(self.labels == 1)
        drawn = np.random.default_rng(seed).permutation(negatives)
        rows = np.sort(np.r_[positives, drawn[: MOST_NEGATIVES * len(positives)]])
        return Past(self.x[rows], self.labels[rows], self.validation[rows])

    @property
    def has_both_classes(self) -> bool:
        """Whether the training part has positives as well as negatives."""
        labels = self.labels[~self.validation]
        return bool((labels == 1).any() and (labels == 0).any())


def learners(
    past: Past, features: Sequence[Feature], *, seed: int, threads: int
) -> dict[str, Scorer]:
    """The baselines that learn from labels, by name; none if those are all of one class.

    Where positives are rare, they learn from all of these and MOST_NEGATIVES for each.
    """
    if not past.has_both_classes:
        return {}
    past = past.thinned(seed)
    return {
        LOGISTIC: _logistic(past, features, threads=threads),
        BOOSTING: _boosting(past, seed=seed, threads=threads),
    }


def line_counters(names: Sequence[str]) -> dict[str, Scorer]:
    """The baselines that count lines and learn nothing, for rows of the features `names`."""
    scorers: dict[str, Scorer] = {}
    if ADDITIONS in names:
        scorers[LINES_ADDED] = _counted(names.index(ADDITIONS))
        if CODE_ADDED in names:
            scorers[CODE_LINES_ADDED] = _counted(names.index(CODE_ADDED), names.index(ADDITIONS))
    return scorers


def _counted(*columns: int) -> Scorer:
    """The count in the first of the columns that is known, 0 if none is."""

    def count(x: Float32) -> Float64:
        counts = x[:, columns[-1]]
        for column in reversed(columns[:-1]):
            counts = np.where(np.isnan(x[:, column]), counts, x[:, column])
        return np.nan_to_num(counts.astype(np.float64))

    return count


def isolation_forest(x: Float32, *, seed: int, threads: int) -> Scorer:
    """How easily a row is isolated (Liu et al. 2008), trained on raw rows without labels."""
    with needs_extra("train", library="scikit-learn"):
        from sklearn.ensemble import IsolationForest
    rows = np.random.default_rng(seed).permutation(len(x))[:_ISOLATION_ROWS]
    forest = IsolationForest(n_estimators=100, random_state=seed, n_jobs=threads)
    known = ~np.isnan(x)
    usual = np.nanmedian(np.where(known.any(axis=0), x, np.float32(0)), axis=0)

    def inputs(rows: Float32) -> Float32:
        return np.where(np.isnan(rows), usual, rows)

    forest.fit(inputs(x[rows]))
    return lambda rows: -np.asarray(forest.score_samples(inputs(rows)), np.float64)


def _logistic(past: Past, features: Sequence[Feature], *, threads: int) -> Scorer:
    with needs_extra("train", library="scikit-learn"):
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

    def fit(x: Float32, labels: Int8, penalties: Sequence[float]) -> Fitted:
        scaling = Scaling.fit(x, features)
        # Many rows, few columns: Newton's steps need a tenth of the passes that L-BFGS needs, and
        # from the weights of the last penalty fewer still.
        model = LogisticRegression(solver="newton-cholesky", warm_start=True)

        def inputs(rows: Float32) -> Float64:
            return np.nan_to_num(scaling.apply(rows)).astype(np.float64)  # the mean, where unknown

        def scorer(weights: Float64, bias: float) -> Scorer:
            return lambda rows: np.asarray(inputs(rows) @ weights + bias)

        scaled, scorers = inputs(x), {}
        for penalty in penalties:
            with threadpool_limits(limits=threads):
                model.set_params(C=penalty).fit(scaled, labels)
            scorers[penalty] = scorer(model.coef_[0].copy(), float(model.intercept_[0]))
        return scorers

    return _tuned(past, fit, _PENALTIES)


def _boosting(past: Past, *, seed: int, threads: int) -> Scorer:
    with needs_extra("train", library="scikit-learn"):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

    def fit(x: Float32, labels: Int8, sizes: Sequence[tuple[int, int]]) -> Fitted:
        known = ~np.isnan(x).all(axis=0)  # it cannot bin a feature without any value

        def inputs(rows: Float32) -> Float32:
            return np.where(known, rows, np.float32(0))

        def scorer(model: Any, trees: int) -> Scorer:  # noqa: ANN401
            def first(rows: Float32) -> Float64:
                stages = model.staged_decision_function(inputs(rows))
                return np.asarray(next(islice(stages, trees - 1, None)), np.float64).ravel()

            return first

        # A fit of fewer trees is the beginning of one of more.
        most = {leaves: max(n for own, n in sizes if own == leaves) for leaves, _ in sizes}
        models = {
            leaves: HistGradientBoostingClassifier(
                max_leaf_nodes=leaves,
                max_iter=trees,
                learning_rate=0.05,
                min_samples_leaf=min(200, max(5, len(x) // 20)),
                l2_regularization=50.0,
                early_stopping=False,
                random_state=seed,
            )
            for leaves, trees in most.items()
        }
        # Its OpenMP threads wait for each other by spinning: more of them than free cores
        # cost ten times the time.
        with threadpool_limits(limits=threads):
            for model in models.values():
                model.fit(inputs(x), labels)
        return {(leaves, trees): scorer(models[leaves], trees) for leaves, trees in sizes}

    return _tuned(past, fit, _TREES)


def _tuned(
    past: Past, fit: Callable[[Float32, Int8, Sequence[Any]], Fitted], settings: Sequence[Any]
) -> Scorer:
    """Fit the setting that does best on validation (the first, without positives there)."""
    x, labels = past.labelled(past.validation)
    best = settings[0]
    if (labels == 1).any() and (labels == 0).any():
        ones = np.ones((1, len(labels)))
        fitted = fit(*past.labelled(~past.validation), settings)
        best = max(
            settings, key=lambda setting: float(pooled_auc(fitted[setting](x), labels, ones)[0])
        )
    return fit(*past.labelled(np.ones(len(past.x), bool)), [best])[best]
