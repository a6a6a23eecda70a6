"""Later pulls with their outcomes and every model's scores, and how these compare."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float64, Int8, Int32, Int64
from pullrisk.errors import NotEnoughDataError
from pullrisk.model.bundle import Bundle
from pullrisk.train import figures
from pullrisk.train.baselines import Scorer
from pullrisk.train.dataset import UNKNOWN, Dataset, Target
from pullrisk.train.evaluation import OURS, Figures, Part
from pullrisk.train.metrics import bootstrap_weights
from pullrisk.train.ranking import code_pulls, like_size, ranking_figures, sizes


@dataclass(frozen=True, slots=True)
class Windows:
    """Masks over a dataset [n]: `past` is what a bundle learnt from, `validation` the part of it
    that it was tuned on, `test` what it may be judged on; `until` [repositories] is the moment at
    which its past ends.
    """

    past: Bools
    validation: Bools
    test: Bools
    until: Int64

    @classmethod
    def of(cls, bundle: Bundle, dataset: Dataset, since: datetime | None = None) -> "Windows":
        """The windows of a bundle, whose test pulls were merged at or after `since`.

        Raises NotEnoughDataError where no pull lies in the test window.
        """
        facts = bundle.metadata.facts
        test = dataset.since(facts.trained_until)
        past = ~test
        if since is not None:
            test = test & (dataset.merged_at >= int(since.timestamp() * 1_000_000))
        if not test.any():
            raise NotEnoughDataError(
                "no pull was merged after the model's training and the given date",
                hint="fetch newer pulls, or give an earlier --since",
            )
        later = dataset.since(facts.validation_from)
        return cls(past, past & later, test, dataset.moments(facts.trained_until))

    @property
    def key(self) -> bytes:
        """Equal for equal windows of one dataset."""
        each = (self.past, self.validation, self.test, self.until)
        return sha256(b"".join(array.tobytes() for array in each)).digest()


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled test pulls, `rows` of n: labels and repositories [m], every model's scores [m].

    `like` [m] is the same for pulls of like size, `code` [m] tells which change code; None if
    that is unknown.
    """

    rows: Bools
    labels: Int8
    groups: Int32
    like: Int64 | None
    code: Bools | None
    scores: Mapping[str, Float64]

    @classmethod
    def of(
        cls, dataset: Dataset, test: Bools, scorers: Mapping[str, Scorer], target: Target
    ) -> "Judged":
        """The pulls of the mask `test` [n] whose outcome is known, scored."""
        labels = dataset.labels(target)
        rows = test & (labels != UNKNOWN)
        x, groups = dataset.x[rows], dataset.repository[rows]
        none = np.empty(0)  # scikit-learn refuses to score no rows
        scores = {name: scorer(x) if len(x) else none for name, scorer in scorers.items()}
        size, code = sizes(dataset), code_pulls(dataset)
        like = None if size is None else like_size(groups, size[rows])
        code = None if code is None else code[rows]
        return cls(rows, labels[rows], groups, like, code, scores)

    @property
    def both_classes(self) -> bool:
        """Whether there is anything to rank."""
        return bool((self.labels == 1).any() and (self.labels == 0).any())

    def compared(self, *, resamples: int, seed: int) -> Part:
        """Every model's figures on all the pulls, and on those that change code."""
        everything = np.ones(len(self.labels), bool)
        if not self.both_classes:
            return self._part(everything, np.empty((0, len(everything))))
        weights = bootstrap_weights(len(everything), resamples=resamples, seed=seed)
        code = None if self.code is None else self._part(self.code, weights)
        return msgspec.structs.replace(self._part(everything, weights), code_pulls=code)

    def _part(self, rows: Bools, weights: Float64) -> Part:
        """Every model's figures on some rows [m], and ours minus each baseline's on the same
        resamples: `weights` [b, m].
        """
        labels, groups = self.labels[rows], self.groups[rows]
        like = None if self.like is None else self.like[rows]
        positives = int((labels == 1).sum())
        if positives in (0, len(labels)):
            return Part(pulls=len(labels), positives=positives, models={}, differences={})
        own = weights if rows.all() else np.take(weights, np.flatnonzero(rows), axis=1)
        scores = {name: each[rows] for name, each in self.scores.items()}
        draws = {
            name: ranking_figures(each, labels, groups, own, like) for name, each in scores.items()
        }
        models = {
            name: Figures(
                {figure: figures.interval(values) for figure, values in drawn.items()},
                figures.top_shares(scores[name], labels, groups),
            )
            for name, drawn in draws.items()
        }
        differences = {
            name: {key: figures.interval(draws[OURS][key] - drawn[key]) for key in drawn}
            for name, drawn in draws.items()
            if OURS in draws and name != OURS
        }
        return Part(pulls=len(labels), positives=positives, models=models, differences=differences)
