"""The temporal split: train on the past, tune on what followed, judge on what came last."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import SettingsError
from pullrisk.train.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Split:
    """Three masks over a dataset's rows, [n], and the two cuts of each repository.

    `validation_from` and `test_from` (µs, int64 [repositories]) are the first moments of the
    two later windows. They are also the moments of knowing: labels of training rows are those
    known at `validation_from`, labels of validation rows those known at `test_from`.
    """

    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    validation_from: NDArray[np.int64]
    test_from: NDArray[np.int64]


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


def _span(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = np.full(len(dataset.repositories), np.iinfo(np.int64).max, np.int64)
    last = np.full(len(dataset.repositories), np.iinfo(np.int64).min, np.int64)
    np.minimum.at(first, dataset.repository, dataset.merged_at)
    np.maximum.at(last, dataset.repository, dataset.merged_at)
    return first, last


def _cut(first: NDArray[np.int64], last: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    # A share of zero means no window at all, so its cut lies just after the last event.
    span = np.floor(share * (last - first)).astype(np.int64)
    return np.asarray(last - span + int(share == 0))
