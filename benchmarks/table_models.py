"""Our network and its peers on one table; every model reads the same columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from novelty_peers import AUTOENCODER, ECOD, pyod_peers
from pullrisk.features.schema import Feature
from pullrisk.model.network import Noise, Shape, predict
from pullrisk.model.scaling import Scaling
from pullrisk.progress import Silent
from pullrisk.train.fit import FitSettings, Rows, fit
from pullrisk.train.metrics import bootstrap_weights, pooled_auc
from table_reading import Matrix, infer_features

Scores = NDArray[np.float64]
Model = Callable[["Part", int], Scores]
"""Scores of the part's later rows, from its earlier ones and a seed; higher for the label."""

OURS: Final = "pullrisk"
OUR_ERROR: Final = "pullrisk, error alone"
_TUNING_SHARE: Final = 0.2
_CHANCE: Final = 0.025
_RESAMPLES: Final = 300
_MANY: Final = 50_000
_LEAST_EPOCHS: Final = 6
_UNSUPERVISED_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """Earlier rows to learn from and later ones to score: raw `x`, labels, project codes."""

    names: tuple[str, ...]
    x: Matrix
    labels: NDArray[np.int8]
    project: NDArray[np.int32]
    later: Matrix

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns, each with a scale told by its earlier values."""
        return infer_features(self.x, self.names)


def candidates(rows: int) -> tuple[FitSettings, FitSettings]:
    """What the network is chosen from: smooth in its inputs, or cut at their quantiles.

    About as many steps for a small table as for a large one, in batches that suit it.
    """
    small = rows < _MANY
    batch = 256 if small else 1_024

    def epochs(steps: int) -> int:
        return max(_LEAST_EPOCHS, min(60, round(steps * batch / rows)))

    smooth = FitSettings(
        shape=Shape(members=8, hidden=64, code=24),
        batch=batch,
        epochs=epochs(4_000),
    )
    cut = FitSettings(
        shape=Shape(members=4, hidden=128, code=24, pieces=16, embedding=8),
        noise=Noise(dropped=0.3),
        batch=batch,
        epochs=epochs(1_500),
        learning_rate=4e-3,
    )
    return smooth, cut


def ours(part: Part, seed: int) -> Scores:
    """The network of pullrisk, its scaling measured on the earlier rows."""
    settings = _chosen(part, seed)
    return _network(part, settings, seed)(part.later)[0]


def _chosen(part: Part, seed: int) -> FitSettings:
    """Inputs that are cut only where they are ahead beyond chance on the latest known fifth."""
    cut = round((1 - _TUNING_SHARE) * len(part.x))
    earlier = replace(part, x=part.x[:cut], labels=part.labels[:cut], project=part.project[:cut])
    smooth, pieces = candidates(len(part.x))
    labels = part.labels[cut:]
    weights = bootstrap_weights(len(labels), resamples=_RESAMPLES, seed=seed)[1:]
    aucs = [
        pooled_auc(_network(earlier, settings, seed)(part.x[cut:])[0], labels, weights)
        for settings in (smooth, pieces)
    ]
    return pieces if np.quantile(aucs[1] - aucs[0], _CHANCE) > 0 else smooth


def our_error(part: Part, seed: int) -> Scores:
    """The same network trained without any label: mean squared reconstruction error."""
    blind = replace(part, labels=np.full_like(part.labels, -1))
    return _network(blind, candidates(len(part.x))[0], seed)(part.later)[1]


def _network(
    part: Part, settings: FitSettings, seed: int
) -> Callable[[Matrix], tuple[Scores, Scores]]:
    """Risk logit and squared reconstruction error of any rows, learnt from the part's earlier."""
    scaling = Scaling.fit(part.x, part.features)
    rows = Rows(scaling.apply(part.x), part.labels[None], part.project)
    weights = fit(rows, None, settings, seed=seed, progress=Silent()).weights

    def answer(x: Matrix) -> tuple[Scores, Scores]:
        z = scaling.apply(x)
        logit, rebuilt = predict(weights, z)
        return logit[0].astype(np.float64), np.square(z - rebuilt).mean(axis=1, dtype=np.float64)

    return answer


def models() -> dict[str, Model]:
    """Ours, then every peer by name, from the plainest."""
    return {
        OURS: ours,
        "logistic regression": _logistic,
        "gradient boosting": _boosting,
        "random forest": _forest,
        "IsolationForest": _isolation,
        AUTOENCODER: _pyod(AUTOENCODER),
        ECOD: _pyod(ECOD),
        OUR_ERROR: our_error,
    }


def _logistic(part: Part, seed: int) -> Scores:
    from sklearn.linear_model import LogisticRegression

    def fitted(x: Matrix, labels: NDArray[np.int8], penalty: float) -> Callable[[Matrix], Scores]:
        scaling = Scaling.fit(x, part.features)
        model = LogisticRegression(C=penalty, max_iter=500, random_state=seed)
        model.fit(scaling.apply(x), labels)
        return lambda rows: np.asarray(model.decision_function(scaling.apply(rows)), np.float64)

    return _tuned(part, fitted, (0.001, 0.01, 0.1, 1.0))


def _boosting(part: Part, seed: int) -> Scores:
    from sklearn.ensemble import HistGradientBoostingClassifier

    def fitted(
        x: Matrix, labels: NDArray[np.int8], size: tuple[int, int]
    ) -> Callable[[Matrix], Scores]:
        leaves, trees = size
        model = HistGradientBoostingClassifier(
            max_leaf_nodes=leaves, max_iter=trees, learning_rate=0.05,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        model.fit(x, labels)
        return lambda rows: np.asarray(model.decision_function(rows), np.float64)

    return _tuned(part, fitted, ((8, 150), (15, 150), (31, 150), (31, 400)))


def _forest(part: Part, seed: int) -> Scores:
    from sklearn.ensemble import RandomForestClassifier

    def fitted(x: Matrix, labels: NDArray[np.int8], leaf: int) -> Callable[[Matrix], Scores]:
        model = RandomForestClassifier(
            n_estimators=300, min_samples_leaf=leaf, random_state=seed, n_jobs=2
        )
        model.fit(x, labels)
        return lambda rows: np.asarray(model.predict_proba(rows)[:, 1], np.float64)

    return _tuned(part, fitted, (2, 5, 15))


def _tuned(
    part: Part,
    fitted: Callable[[Matrix, NDArray[np.int8], Any], Callable[[Matrix], Scores]],
    settings: Sequence[Any],
) -> Scores:
    """Score with the setting that does best on the latest fifth, fitted again on all rows."""
    cut = round((1 - _TUNING_SHARE) * len(part.x))
    ones = np.ones((1, len(part.x) - cut))

    def merit(setting: object) -> float:
        scores = fitted(part.x[:cut], part.labels[:cut], setting)(part.x[cut:])
        return float(np.nan_to_num(pooled_auc(scores, part.labels[cut:], ones)[0]))

    return fitted(part.x, part.labels, max(settings, key=merit))(part.later)


def _isolation(part: Part, seed: int) -> Scores:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=seed).fit(_some(part, seed))
    return -np.asarray(forest.score_samples(part.later), np.float64)


def _pyod(name: str) -> Model:
    return lambda part, seed: pyod_peers(part.x, seed=seed, only=(name,))[name](part.later)


def _some(part: Part, seed: int) -> Matrix:
    """Enough rows for a detector, which learns from no label."""
    chosen = np.random.default_rng(seed).permutation(len(part.x))[:_UNSUPERVISED_ROWS]
    return part.x[np.sort(chosen)]
