"""The temporal split: train on the past, tune on what followed, judge on what came last; and the
labels that were known when each window ended.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Indices, Int64
from pullrisk.errors import SettingsError
from pullrisk.model.metadata import QUESTIONS
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import TARGET_OF, UNKNOWN, Dataset
from pullrisk.train.fit import Rows

LEAST_POSITIVES: Final = 20
"""Fewer positives among the training labels than this give no risk worth showing."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three masks over a dataset's rows, [n], and the two cuts of each repository.

    `validation_from` and `test_from` (µs, int64 [repositories]) are the first moments of the
    two later windows. They are also the moments of knowing: labels of training rows are those
    known at `validation_from`, labels of validation rows those known at `test_from`.
    """

    train: Bools
    validation: Bools
    test: Bools
    validation_from: Int64
    test_from: Int64


def temporal_split(dataset: Dataset, *, test: float = 0.25, validation: float = 0.15) -> Split:
    """Split each repository by its own time: the last `test` of the span is the test window.

    The span runs from a repository's first merge to its last one, in time, not in pulls. The
    test window is [last - test x span, last], the validation window the stretch of
    `validation` x span before it, training everything earlier. Raises SettingsError for
    shares that leave nothing to train on.
    """
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise SettingsError(
            f"test is {test} and validation {validation}, expected shares that leave a rest",
            hint="for example test=0.25 and validation=0.15",
        )
    first, last = _span(dataset)
    test_from = _cut(first, last, test)
    validation_from = _cut(first, last, test + validation)
    moment, code = dataset.merged_at, dataset.repository
    in_test = moment >= test_from[code]
    in_train = moment < validation_from[code]
    return Split(
        train=in_train,
        validation=~in_train & ~in_test,
        test=in_test,
        validation_from=validation_from,
        test_from=test_from,
    )


def _span(dataset: Dataset) -> tuple[Int64, Int64]:
    first = np.full(len(dataset.repositories), np.iinfo(np.int64).max, np.int64)
    last = np.full(len(dataset.repositories), np.iinfo(np.int64).min, np.int64)
    np.minimum.at(first, dataset.repository, dataset.merged_at)
    np.maximum.at(last, dataset.repository, dataset.merged_at)
    return first, last


def _cut(first: Int64, last: Int64, share: float) -> Int64:
    # A share of zero means no window at all, so its cut lies just after the last event.
    span = np.floor(share * (last - first)).astype(np.int64)
    return np.asarray(last - span + int(share == 0))


@dataclass(frozen=True, slots=True)
class Windows:
    """Scaled rows with the labels known when each window ended; `both` when validation did."""

    training: Rows
    validation: Rows
    both: Rows

    @property
    def positives(self) -> Indices:
        """Positive labels among the training rows, [questions]."""
        return np.asarray((self.training.labels == 1).sum(axis=1))

    @property
    def learnable(self) -> Bools:
        """Whether the training labels suffice: enough positives, and negatives, [questions]."""
        negatives = (self.training.labels == 0).any(axis=1)
        return np.asarray((self.positives >= LEAST_POSITIVES) & negatives)

    def of_learnable(self) -> "Windows":
        """The same without the labels of questions for which they do not suffice."""
        learnable = self.learnable[:, None]
        parts = (
            replace(rows, labels=np.where(learnable, rows.labels, np.int8(UNKNOWN)))
            for rows in (self.training, self.validation, self.both)
        )
        return Windows(*parts)


def label_windows(dataset: Dataset, split: Split, scaling: Scaling) -> Windows:
    """Give each window the labels of QUESTIONS that were known when it ended: no look-ahead.

    A training pull whose maturity window reaches past the start of validation is unlabelled
    unless it was in trouble before; one reverted later than that counts as positive too. A
    validation pull counts only when mature by the start of the test window, so that the share
    of positives is the true one.
    """

    def rows(mask: Bools, known_at: Int64, *, learning: bool) -> Rows:
        labels = [
            dataset.labels(TARGET_OF[question], known_at=known_at, learning=learning)[mask]
            for question in QUESTIONS
        ]
        return Rows(scaling.apply(dataset.x[mask]), np.stack(labels), dataset.repository[mask])

    return Windows(
        rows(split.train, split.validation_from, learning=True),
        rows(split.validation, split.test_from, learning=False),
        rows(split.train | split.validation, split.test_from, learning=True),
    )
