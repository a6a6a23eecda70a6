"""The feature table as arrays, with outcomes joined back to the pulls they are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from pullrisk.arrays import Bools, Float32, Indices, Int8, Int32, Int64
from pullrisk.errors import LakeError, NotEnoughDataError, SettingsError, needs_extra
from pullrisk.model.metadata import Answer, Question
from pullrisk.train.table_columns import NEVER, Keys, links_of, text_columns, texts_of_rows

if TYPE_CHECKING:
    import pyarrow as pa


Target = Literal["risk", "repaired", "reverted"]
"""`repaired`: a fix rewrote code lines of it; `reverted`: the whole pull was; `risk`: either."""
TARGET_OF: Final[dict[Question, Target]] = {"repair": "repaired", "revert": "reverted"}
"""The outcome that each question of the network asks for."""
ANSWER_OF: Final[dict[Target, Answer]] = {
    "risk": "risk", "repaired": "repair", "reverted": "revert",
}  # fmt: skip
"""The answer of a model that each outcome judges."""
MICROSECONDS_PER_DAY: Final = 86_400_000_000
_ORIGINS: Final = "rewritten_origins"
_FIRST: Final = np.iinfo(np.int64).min
_OF_ROWS: Final = (
    "x", "repository", "number", "merged_at", "example", "reverted_at", "repaired_at", "undone_at",
    "written",
)  # fmt: skip
"""The arrays of a dataset that have an entry for each pull."""
UNKNOWN: Final = -1
"""The label of a pull whose outcome cannot be known yet, or that is no example."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """n merged pulls in event order within each repository; moments are µs since 1970, UTC.

    `x` is float32 [n, d], raw, NaN where unknown; `repository` int32 [n] indexes `repositories`;
    `reverted_at` and `repaired_at` int64 [n] are NEVER where that did not happen within
    `maturity` µs of the merge, `undone_at` where no revert followed at all;
    `written` bool [n] tells of which pulls it is known which lines they wrote, and which lines
    others removed until the window ended, so that a repair would have been seen (those that write
    no code count as known); `observed_until` int64
    [repositories] is how far each repository has been seen; `said` is what each pull says of
    itself, [n] rows, None if the table lacks it.
    """

    names: tuple[str, ...]
    repositories: tuple[str, ...]
    x: Float32
    repository: Int32
    number: Int64
    merged_at: Int64
    example: Bools
    reverted_at: Int64
    repaired_at: Int64
    undone_at: Int64
    written: Bools
    observed_until: Int64
    maturity: int
    texts: "pa.Table | None" = None

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def from_table(
        cls,
        table: "pa.Table",
        names: Sequence[str],
        *,
        maturity_days: float = 90,
        observed_until: datetime | None = None,
    ) -> "Dataset":
        """Read the lake's feature table and derive the outcomes from its `links`.

        A repository counts as observed until `observed_until`, or else its own last merge.
        Raises LakeError for a missing column, NotEnoughDataError for an empty table.
        """
        if maturity_days <= 0:
            raise SettingsError(f"maturity_days is {maturity_days}, expected more than 0")
        _check_columns(table, names)
        arrow = _pyarrow_compute()
        known, repository = _coded(table["repository"], arrow)
        number = table["number"].to_numpy().astype(np.int64)
        merged_at = table["merged_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
        maturity = int(maturity_days * MICROSECONDS_PER_DAY)
        keys, links = Keys(repository, number, merged_at), links_of(table)
        repaired_at = keys.first(*links, kind="repair", within=maturity)
        written = _written(table)
        data = cls(
            names=tuple(names),
            repositories=known,
            x=_matrix(table, names),
            repository=repository,
            number=number,
            merged_at=merged_at,
            example=table["example"].to_numpy().astype(bool),
            reverted_at=keys.first(*links, kind="revert", within=maturity),
            repaired_at=repaired_at,
            undone_at=keys.first(*links, kind="revert"),
            written=written
            & (_followed(written, repository, merged_at, maturity) | (repaired_at != NEVER)),
            observed_until=_observed(repository, merged_at, len(known), observed_until),
            maturity=maturity,
            texts=text_columns(table),
        )
        return data.take(np.lexsort((number, merged_at, repository)))

    def take(self, rows: Indices | Bools) -> "Dataset":
        """The same dataset with only `rows` (indices or a mask); repositories keep their codes."""
        own = {name: getattr(self, name)[rows] for name in _OF_ROWS}
        return replace(self, **own, texts=texts_of_rows(self.texts, rows))

    @property
    def reverted(self) -> Bools:
        """Whether each pull was reverted within the maturity window, [n]."""
        return np.asarray(self.reverted_at != NEVER)

    @property
    def repaired(self) -> Bools:
        """Whether a fix removed code lines of each pull within the maturity window, [n]."""
        return np.asarray(self.repaired_at != NEVER)

    @property
    def mature(self) -> Bools:
        """Whether each pull's maturity window lies wholly in what was observed, [n]."""
        return np.asarray(self.merged_at + self.maturity <= self.observed_until[self.repository])

    @property
    def main_target(self) -> Target:
        """What a model is judged by: `reverted` where it is not known what was repaired."""
        return "risk" if self.written.any() else "reverted"

    def moments(self, known: Mapping[str, int]) -> Int64:
        """The `known` moment of each repository, by name; the first of all times without one."""
        return np.array([known.get(name, _FIRST) for name in self.repositories], np.int64)

    def since(self, known: Mapping[str, int]) -> Bools:
        """Which pulls were merged at or after the `known` moment of their repository, [n]: where
        there is none, all.
        """
        return np.asarray(self.merged_at >= self.moments(known)[self.repository])

    def labels(
        self, target: Target = "reverted", *, known_at: Int64 | None = None,
        learning: bool = False
    ) -> Int8:  # fmt: skip
        """1 for what `target` asks, 0 for none, UNKNOWN where not knowable or no example; int8 [n].

        Whether a pull was repaired is not knowable where it is not known which lines it wrote.

        `known_at` (int64 [repositories], default `observed_until`) is the moment of knowing:
        nothing that happened after it counts. Only pulls whose window has ended have a label,
        so that the share of positives is the true one. `learning` takes every positive there
        is: pulls repaired or reverted before their window has ended, and pulls reverted after it.
        """
        moment = (self.observed_until if known_at is None else known_at)[self.repository]
        happened_at = self._happened_at(target, learning=learning)
        positive = (happened_at != NEVER) & (happened_at <= moment)
        ended = self.merged_at + self.maturity <= moment
        labels = np.where(ended | (positive & learning), positive.astype(np.int8), UNKNOWN)
        knowable = self.example if target == "reverted" else self.example & self.written
        return np.where(knowable, labels, UNKNOWN).astype(np.int8)

    def _happened_at(self, target: Target, *, learning: bool) -> Int64:
        if target == "repaired":
            return self.repaired_at
        reverted_at = self.undone_at if learning else self.reverted_at
        return np.minimum(reverted_at, self.repaired_at) if target == "risk" else reverted_at


def _coded(names: Any, arrow: Any) -> tuple[tuple[str, ...], Int32]:  # noqa: ANN401
    """Every repository by name, and each row's place among them, whatever the rows' order."""
    encoded = arrow.dictionary_encode(names.combine_chunks())
    repositories = encoded.dictionary.to_pylist()
    order = sorted(range(len(repositories)), key=repositories.__getitem__)
    place = np.empty(len(repositories), np.int32)
    place[order] = np.arange(len(repositories), dtype=np.int32)
    return tuple(repositories[i] for i in order), place[encoded.indices.to_numpy()]


def _matrix(table: "pa.Table", names: Sequence[str]) -> Float32:
    matrix = np.empty((table.num_rows, len(names)), np.float32)
    for column, name in enumerate(names):
        matrix[:, column] = table[name].to_numpy()
    return matrix


def _written(table: "pa.Table") -> Bools:
    """Of which pulls the lines are known, [n]: who wrote those that they rewrite is known, too."""
    if _ORIGINS not in table.column_names:
        return np.zeros(table.num_rows, np.bool_)
    return np.asarray(~np.isnan(table[_ORIGINS].to_numpy()))


def _followed(written: Bools, repository: Int32, merged_at: Int64, maturity: int) -> Bools:
    """Of which pulls the window ended before the lines ceased to be known, [n].

    True of all where the last merge's are: a clone may be lost, or its disk full, and what is
    merged then removes lines unseen.
    """
    last, known = (np.full(repository.max() + 1, _FIRST) for _ in range(2))
    np.maximum.at(last, repository, merged_at)
    np.maximum.at(known, repository[written], merged_at[written])
    ended = merged_at + maturity <= known[repository]
    return np.asarray(ended | (known == last)[repository])


def _observed(
    repository: Int32, merged_at: Int64, repositories: int, until: datetime | None
) -> Int64:
    if until is not None:
        return np.full(repositories, int(until.timestamp() * 1_000_000), np.int64)
    observed = np.full(repositories, _FIRST, np.int64)
    np.maximum.at(observed, repository, merged_at)
    return observed


def _check_columns(table: "pa.Table", names: Sequence[str]) -> None:
    needed = ("repository", "number", "merged_at", "example", "links", *names)
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise LakeError(
            f"the feature table lacks {len(missing)} columns: {', '.join(missing[:5])}",
            hint="it was made by another version: run `pullrisk preprocess` again",
        )
    if not table.num_rows:
        raise NotEnoughDataError(
            "the feature table is empty", hint="run `pullrisk fetch`, then `pullrisk preprocess`"
        )


def _pyarrow_compute() -> Any:  # noqa: ANN401  (pyarrow has no types)
    with needs_extra("lake"):
        import pyarrow.compute as compute
    return compute


_NAMED = 5


def read_dataset(table: "pa.Table", names: Sequence[str], *, maturity_days: float) -> Dataset:
    """The feature table as a dataset.

    Raises LakeError for a missing column and for an infinite value, which would spoil every
    weight of a network; NotEnoughDataError for an empty table.
    """
    dataset = Dataset.from_table(table, names, maturity_days=maturity_days)
    infinite = np.isinf(dataset.x)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        repository = dataset.repositories[dataset.repository[row]]
        raise LakeError(
            f"feature {dataset.names[column]} of {repository}#{dataset.number[row]} is "
            f"{dataset.x[row, column]}, not a number ({infinite.any(axis=1).sum():,} such pulls)",
            hint="rebuild the table with `pullrisk preprocess --full`",
        )
    return dataset


def oddities(dataset: Dataset) -> tuple[str, ...]:
    """What a reader of the figures should know of the data: constant features, one repository."""
    notes = []
    known = ~np.isnan(dataset.x)
    least = np.min(dataset.x, axis=0, where=known, initial=np.inf)
    constant = known.any(axis=0) & (
        least == np.max(dataset.x, axis=0, where=known, initial=-np.inf)
    )
    names = [name for name, same in zip(dataset.names, constant.tolist(), strict=True) if same]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        notes.append(
            f"{len(names)} of {len(dataset.names)} features have one value everywhere and tell "
            f"nothing: {', '.join(names[:_NAMED])}{more}"
        )
    if len(np.unique(dataset.repository)) == 1:
        notes.append("there is one repository: AUC within repositories and pooled are the same")
    return tuple(notes)
