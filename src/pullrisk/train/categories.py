"""What category each pull of a dataset states, and the head that learns to tell it.

A softmax regression: its optimum is one point, so L-BFGS finds it, the same on every run.
A category's pulls weigh less the more there are (by the root of their number), which serves
macro-F1 and leaves the probabilities honest: expected calibration error 0.013 on later pulls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pullrisk.arrays import Float32, Float64, Indices, Int8, Int32
from pullrisk.errors import needs_extra
from pullrisk.features.schema import Feature
from pullrisk.model.categories import CATEGORIES, labelled, stated
from pullrisk.model.category_head import BUCKETS, CategoryHead, token_rows, visible
from pullrisk.model.category_rules import category_by_rules
from pullrisk.train.dataset import Dataset
from pullrisk.train.table_columns import pull_texts, texts_of_rows
from pullrisk.train.warm_start import WarmStart

if TYPE_CHECKING:
    import pyarrow as pa

UNSTATED: Final = -1
"""The category of a pull that states none."""
LEAST_STATED: Final = 200
"""Fewer training pulls than this that state a category teach no head."""
RARE: Final = 300
"""A category that fewer training pulls state than this is taught by the rules as well."""
_MOST_ROWS: Final = 200_000
_TAUGHT_WEIGHT: Final = 0.3
_INVERSE_DECAY: Final = 0.1
_ITERATIONS: Final = 200
_NEVER: Final = -30.0


@dataclass(frozen=True, slots=True)
class Examples:
    """Pulls with a category [n] (index into CATEGORIES), their tokens, and how much each counts."""

    rows: Indices
    tokens: Int32
    category: Int8
    weight: Float64


def stated_categories(texts: "pa.Table") -> Int8:
    """What each pull's title, or else its labels, say; UNSTATED where neither does, [n]."""
    place = {name: index for index, name in enumerate(CATEGORIES)}
    categories = np.full(len(texts), UNSTATED, np.int8)
    labels = texts["labels"].to_pylist()
    for row, title in enumerate(texts["title"].to_pylist()):
        category = stated(title or "").category or (labelled(labels[row]) if labels[row] else None)
        if category is not None:
            categories[row] = place[category]
    return categories


def learn(
    dataset: Dataset,
    z: Float32,
    rows: Indices,
    features: Sequence[Feature],
    *,
    start: WarmStart | None,
) -> CategoryHead | None:
    """The head that `fit_category_head` learns, or else that of the model to start from."""
    head = fit_category_head(dataset, z, rows, features)
    return start.category if head is None and start is not None else head


def fit_category_head(
    dataset: Dataset, z: Float32, rows: Indices, features: Sequence[Feature]
) -> CategoryHead | None:
    """Learn from the pulls `rows` of the dataset, whose scaled inputs are `z` [len(rows), d].

    None if too few of them state a category, or the table has no titles.
    """
    texts = texts_of_rows(dataset.texts, rows)
    if texts is None:
        return None
    examples = _examples(texts)
    if examples is None:
        return None
    shown = visible(features)
    return _fitted(examples, z[examples.rows] * shown)


def _examples(texts: "pa.Table") -> Examples | None:
    category = stated_categories(texts)
    rows = np.flatnonzero(category != UNSTATED)[-_MOST_ROWS:]
    if len(rows) < LEAST_STATED:
        return None
    counts = np.bincount(category[rows], minlength=len(CATEGORIES))
    taught, by_rule = _taught(
        texts, category, {CATEGORIES[k] for k in np.flatnonzero(counts < RARE)}
    )
    every = np.concatenate([rows, taught])
    names = np.concatenate([category[rows], by_rule]).astype(np.int8)
    trust = np.repeat([1.0, _TAUGHT_WEIGHT], [len(rows), len(taught)])
    shares = np.bincount(names, trust, len(CATEGORIES))
    weight = trust / np.sqrt(shares[names])
    tokens = token_rows(pull_texts(texts_of_rows(texts, every)))
    return Examples(every, tokens, names, weight / weight.mean())


def _taught(texts: "pa.Table", category: Int8, rare: set[str]) -> tuple[Indices, Int8]:
    """Pulls that state nothing but are of a rare category by the rules, and that category."""
    if not rare:
        return np.zeros(0, np.intp), np.zeros(0, np.int8)
    silent = np.flatnonzero(category == UNSTATED)[-_MOST_ROWS:]
    place = {name: index for index, name in enumerate(CATEGORIES) if name in rare}
    of_silent = pull_texts(texts.take(silent))
    by_rule = np.array([place.get(category_by_rules(t), UNSTATED) for t in of_silent], np.int8)
    is_rare = by_rule != UNSTATED
    return silent[is_rare], by_rule[is_rare]


def _fitted(examples: Examples, z: Float32) -> CategoryHead | None:
    """The weights; None if all examples are of one category."""
    seen = np.unique(examples.category)
    if len(seen) < 2:
        return None
    with needs_extra("train", library="scikit-learn"):
        from scipy import sparse
        from sklearn.linear_model import LogisticRegression
    inputs = sparse.hstack([_multi_hot(examples.tokens), sparse.csr_array(z)]).tocsr()
    model = LogisticRegression(C=_INVERSE_DECAY, max_iter=_ITERATIONS, tol=1e-3)
    model.fit(inputs, examples.category, sample_weight=examples.weight)
    weights, bias = _of_every_category(model.coef_, model.intercept_, seen)
    return CategoryHead(
        words=weights[:BUCKETS].astype(np.float16),
        wide=weights[BUCKETS:].astype(np.float32),
        bias=bias.astype(np.float32),
    )


def _of_every_category(coefficients: Float64, bias: Float64, seen: Int8) -> tuple[Float64, Float64]:
    """Weights [inputs, k] and biases [k]; a category without examples is never the answer."""
    if len(seen) == 2:  # then scikit-learn keeps the second one's alone
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        bias = np.concatenate([np.zeros_like(bias), bias])
    weights = np.zeros((coefficients.shape[1], len(CATEGORIES)))
    weights[:, seen] = coefficients.T
    biases = np.full(len(CATEGORIES), _NEVER)
    biases[seen] = bias
    return weights, biases


def _multi_hot(tokens: Int32) -> Any:  # noqa: ANN401  (scipy has no types)
    """Rows of ones at the tokens of each pull, [n, BUCKETS]; no token is no one."""
    from scipy import sparse

    row, column = np.nonzero(tokens)
    ones = np.ones(len(row), np.float32)
    return sparse.csr_array((ones, (row, tokens[row, column])), shape=(len(tokens), BUCKETS))
