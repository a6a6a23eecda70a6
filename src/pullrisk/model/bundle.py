"""A trained model as one file, scored with onnxruntime alone: no JAX, no scikit-learn."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Float32, Float64
from pullrisk.errors import InputError, ModelError
from pullrisk.features import SCHEMA_HASH
from pullrisk.features.knowledge import needing
from pullrisk.features.pull_text import PullText
from pullrisk.model.category_head import token_rows
from pullrisk.model.metadata import (
    FORMAT,
    METADATA_KEY,
    QUESTIONS,
    Answer,
    Metadata,
    OperatingPoints,
)

Band = Literal["low", "elevated", "high"]

_CHUNK: Final = 8_192
_RAW: Final = ["risk", "novelty_error", "code"]
_ANSWERED: Final = ["risk", "novelty_error", *QUESTIONS]
_CATEGORY: Final = ["category"]
_SCORED: Final = [*_RAW, *QUESTIONS]
_ALL: Final = [*_SCORED, *_CATEGORY]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers for n rows [n], whatever their repository; None for what the model does not tell.

    `risk` is the probability of a fix or a revert, `repair` and `revert` those of each.
    """

    risk: Float32 | None
    repair: Float32 | None
    revert: Float32 | None
    novelty_error: Float32


@dataclass(frozen=True, slots=True)
class Scores:
    """Answers for n pulls: calibrated `risk` (None if the model has none), `novelty_error`.

    `repair` and `revert` are the probabilities that a fix rewrites the pull and that it is
    reverted, each None if the model has none; the risk is that of either.
    `novelty` is the percentile, 0..100, of the error among the repository's pulls; `bands` are
    those of the operating points, empty if there is no risk. All [n]; `code` is [n, k].
    `category` is [n, categories], probabilities; None if the model tells none.
    """

    risk: Float64 | None
    novelty_error: Float64
    novelty: Float64
    bands: tuple[Band, ...]
    code: Float32
    category: Float32 | None = None
    repair: Float64 | None = None
    revert: Float64 | None = None


# How protobuf writes the key "location" of a tensor's external data, in any of its lengths. With
# it onnxruntime would open whatever file the model names.
_EXTERNAL_DATA: Final = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")


class Bundle:
    """A loaded model; scoring is thread-safe and uses one thread per call."""

    def __init__(self, session: Any, metadata: Metadata, data: bytes) -> None:  # noqa: ANN401  (onnxruntime has no types)
        self._session = session
        self.metadata = metadata
        self.data = data
        names = [feature.name for feature in metadata.features]
        self._of_author = np.flatnonzero(needing(["author"], names))
        self._thresholds: dict[tuple[str | None, OperatingPoints], tuple[float, float]] = {}

    @classmethod
    def load(cls, path: Path, *, schema_hash: str | None = None) -> "Bundle":
        """Read a model file and check that it was made for the features of this installation.

        `schema_hash` is what to expect instead. Raises ModelError for a missing or corrupt
        file, one of a newer version, and one of another feature schema.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModelError(
                f"model {path} cannot be read: {reason}",
                hint="run `pullrisk train`, or name another file with --model",
            ) from error
        return cls.of(data, schema_hash=schema_hash, source=str(path))

    @classmethod
    def of(
        cls, data: bytes, *, schema_hash: str | None = None, source: str = "in memory"
    ) -> "Bundle":
        """Like `load`, from the file's bytes; `source` names them in errors."""
        session = _open(data, source)
        metadata = _metadata(session, source)
        expected = SCHEMA_HASH if schema_hash is None else schema_hash
        if metadata.schema_hash != expected:
            raise ModelError(
                f"model {source} was trained on feature schema {metadata.schema_hash}, "
                f"but this installation computes schema {expected}",
                hint="run `pullrisk preprocess` and `pullrisk train`, or install the version "
                "that trained it",
            )
        return cls(session, metadata, data)

    def with_metadata(self, metadata: Metadata) -> "Bundle":
        """The same graph beside other metadata."""
        return Bundle(self._session, metadata, self.data)

    def recalibrated_for(self, repository: str, x: Float32) -> "Bundle":
        """The same network, with what is usual in `repository` measured on its own rows [n, d].

        Bands, novelty percentiles and reasons are relative to a repository's own pulls. Those of
        one that the model does not know would be relative to all others: where pulls are riskier
        than elsewhere, half of them would be `high`. Of one that it does know, they become those
        of these rows, whose source may know less than that of the training. The file's bytes stay
        those of the model.
        """
        if not len(x):
            return self
        known = self.metadata
        typical = known.typical.including(repository, x)
        x = self.with_metadata(msgspec.structs.replace(known, typical=typical)).comparable(
            x, repository
        )
        risk, error, _ = self.raw(x)
        metadata = msgspec.structs.replace(
            known,
            risk=known.risk.including({repository: risk}),
            novelty=known.novelty.including({repository: error}, at_own_level=True),
            typical=typical,
            anonymous=known.anonymous
            and known.anonymous.including(
                {repository: self.raw(self._anonymous(x))[1]}, at_own_level=True
            ),
        )
        return self.with_metadata(metadata)

    def comparable(self, x: Float32, repository: str | None) -> Float32:
        """Rows [n, d] without what is unknown of the repository's own pulls.

        Bands and percentiles rank a pull among them. Where they come from a clone, which does not
        know forks or descriptions, a pull from GitHub that comes from a fork is nothing new: it
        is told apart by what is known of it alone.
        """
        unknown = np.isnan(self.metadata.typical.row(repository))
        return np.where(unknown, np.float32(np.nan), x) if unknown.any() else x

    def raw(self, x: Float32) -> tuple[Float64, Float64, Float32]:
        """The graph's own outputs for raw rows [n, d]: risk [n], novelty error [n], code [n, k].

        NaN is an unknown value. Raises InputError for another number of features, or infinity.
        """
        risk, error, code = self._run(_RAW, x)
        return risk.astype(np.float64), error.astype(np.float64), code

    def answers(self, x: Float32) -> Answers:
        """The answers for raw rows [n, d], of any repositories, that hold no infinite number.

        Nothing else is done, so that one row costs what the graph costs.
        """
        risk, error, repair, revert = self._session.run(_ANSWERED, {"x": x})
        known = self.metadata
        return Answers(
            risk=risk if known.risk_available else None,
            repair=repair if known.repair_available else None,
            revert=revert if known.revert_available else None,
            novelty_error=error,
        )

    def probability(self, answer: Answer, x: Float32) -> Float64:
        """One of the answers for raw rows [n, d], [n]; raises InputError as `raw` does.

        It means nothing where the model has no such answer (`Metadata.answers`).
        """
        return self._run([answer], x)[0].astype(np.float64)

    def score(
        self,
        x: Float32,
        repository: str | None = None,
        *,
        points: OperatingPoints | None = None,
        texts: Sequence[PullText] | None = None,
    ) -> Scores:
        """Score raw rows [n, d] of one repository; `points` replaces the trained ones.

        `said` [n] is what the pulls say of themselves, without which no category is told. What no
        pull of the repository knew counts as unknown (`comparable`).
        """
        with_category = texts is not None and self.metadata.categories
        x = self.comparable(x, repository)
        outputs = self._run(_ALL if with_category else _SCORED, x, texts if with_category else None)
        risk, error, repair, revert = (outputs[at].astype(np.float64) for at in (0, 1, 3, 4))
        known = self.metadata
        return Scores(
            risk=risk if known.risk_available else None,
            repair=repair if known.repair_available else None,
            revert=revert if known.revert_available else None,
            novelty_error=error,
            novelty=self._novelty(error, x, repository),
            bands=self.bands(risk, repository, points=points),
            code=outputs[2],
            category=outputs[-1] if with_category else None,
        )

    def _novelty(self, error: Float64, x: Float32, repository: str | None) -> Float64:
        """Percentiles of errors [n] of rows [n, d]; an unknown author's among unknown authors'."""
        novelty = self.metadata.novelty.percentile(error, repository)
        anonymous = self.metadata.anonymous
        if anonymous is not None and len(self._of_author):
            unknown = np.isnan(x[:, self._of_author]).all(axis=1)
            if unknown.any():
                novelty[unknown] = anonymous.percentile(error[unknown], repository)
        return novelty

    def _anonymous(self, x: Float32) -> Float32:
        """The rows [n, d] as if nothing tied their authors to the history."""
        x = x.copy()
        x[:, self._of_author] = np.nan
        return x

    def categories(self, x: Float32, texts: Sequence[PullText]) -> Float32 | None:
        """The probability of each of `metadata.categories` for raw rows [n, d], [n, categories].

        None if the model tells none. Raises InputError as `raw` does.
        """
        return self._run(_CATEGORY, x, texts)[0] if self.metadata.categories else None

    def _run(
        self, outputs: list[str], x: Float32, texts: Sequence[PullText] | None = None
    ) -> list[Float32]:
        """Outputs of the graph for raw rows [n, d], a chunk at a time."""
        self._check(x)
        parts = []
        for start in range(0, max(1, len(x)), _CHUNK):
            feed: dict[str, NDArray[Any]] = {"x": np.ascontiguousarray(x[start : start + _CHUNK])}
            if texts is not None:
                feed["words"] = token_rows(texts[start : start + _CHUNK])
            parts.append(self._session.run(outputs, feed))
        return parts[0] if len(parts) == 1 else [*map(np.concatenate, zip(*parts, strict=True))]

    def bands(
        self, risk: Float64, repository: str | None = None, *, points: OperatingPoints | None = None
    ) -> tuple[Band, ...]:
        """The band of each risk [n]; empty if the model has no risk."""
        if not self.metadata.risk_available:
            return ()
        high, elevated = self.thresholds(repository, points=points)
        return tuple(
            "high" if value >= high else "elevated" if value >= elevated else "low"
            for value in risk.tolist()
        )

    def thresholds(
        self, repository: str | None = None, *, points: OperatingPoints | None = None
    ) -> tuple[float, float]:
        """The least risk of the bands `high` and `elevated` in one repository."""
        points = points or self.metadata.operating_points
        risk = self.metadata.risk
        known = repository if repository in risk.by_repository else None
        least = self._thresholds.get((known, points))
        if least is None:
            high = risk.threshold(points.high, known)
            least = high, risk.threshold(points.high + points.elevated, known)
            self._thresholds[known, points] = least
        return least

    def _check(self, x: Float32) -> None:
        features = self.metadata.features
        if x.ndim != 2 or x.shape[1] != len(features):
            raise InputError(
                f"the feature rows have shape {x.shape}, the model reads [n, {len(features)}]"
            )
        if np.isinf(x).any():
            row, column = np.argwhere(np.isinf(x))[0]
            name = features[int(column)].name
            raise InputError(f"feature {name} of row {row} is {x[row, column]}, not a number")


def _open(data: bytes, source: str) -> Any:  # noqa: ANN401  (onnxruntime has no types)
    import onnxruntime as ort  # some tenths of a second

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # the caller hears of a failure from us
    if _EXTERNAL_DATA.search(data):
        raise ModelError(
            f"model {source} has tensors in other files, which are not read",
            hint="a model of pullrisk is one file; train again, or fetch it again",
        )
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a type of its own for each failure
        raise ModelError(
            f"model {source} is not a readable ONNX file",
            hint="it may be cut short: train again, or fetch it again from the registry",
        ) from error


def _metadata(session: Any, source: str) -> Metadata:  # noqa: ANN401  (onnxruntime has no types)
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(f"model {source} is an ONNX file, but not one that pullrisk made")
    try:
        version = msgspec.json.decode(text, type=_Version).format
    except (ValueError, RecursionError) as error:
        raise ModelError(f"model {source} has damaged metadata: {error}") from error
    if version != FORMAT:
        raise ModelError(
            f"model {source} has metadata version {version}, this installation reads {FORMAT}",
            hint="update pullrisk, or train again" if version > FORMAT else "train again",
        )
    try:
        return msgspec.json.decode(text, type=Metadata)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"model {source} has damaged metadata: {error}") from error


class _Version(msgspec.Struct):
    format: int = 0
