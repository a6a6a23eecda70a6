"""The feature table's columns, and the identity of layout and feature schema it carries."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from pullrisk.errors import LakeError
from pullrisk.features import NAMES, SCHEMA_HASH
from pullrisk.features.pull_text import PullText
from pullrisk.features.replay import Block

TABLE: Final = "features"
"""Folder of the Delta table below the lake's root."""
LAYOUT: Final = 5
"""Version of everything about the lake that is not a feature: columns, files, objects.

5: histories that remember titles, repairs file by file, and reviewers.
4: repairs among the links, with their lines.
3: links of direct pushes, with their time.
2: what each pull says of itself (`title`, `labels`, `paths`, `says_reverts`)."""

MERGED_AT: Final = pa.timestamp("us", "UTC")
LINK: Final = pa.struct(
    [
        pa.field("kind", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("evidence", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("lines", pa.int32()),
    ]
)
KEYS: Final = ("repository", "number", "merged_at", "author", "example")
"""The columns before the features; `links`, TEXTS and `run` follow them."""
_LIST: Final = pa.list_(pa.string())
TEXTS: Final = PullText._fields
"""What each pull says of itself in words."""
SCHEMA: Final = pa.schema(
    [
        pa.field("repository", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("merged_at", MERGED_AT),
        pa.field("author", pa.string()),
        pa.field("example", pa.bool_()),
        *(pa.field(name, pa.float32()) for name in NAMES),
        pa.field("links", pa.list_(LINK)),
        pa.field("title", pa.string()),
        pa.field("labels", _LIST),
        pa.field("paths", _LIST),
        pa.field("says_reverts", pa.bool_()),
        pa.field("run", pa.int64()),
    ]
)
"""One row for every merged pull, in this order of columns."""


class Identity(msgspec.Struct, frozen=True):
    """What wrote a table; kept in the table's own description, as JSON."""

    layout: int = LAYOUT
    schema_hash: str = SCHEMA_HASH
    pullrisk: str = msgspec.field(default_factory=lambda: version("pullrisk"))

    @property
    def misfit(self) -> str | None:
        """Why this pullrisk has to rebuild the table before it can use its rows, or None."""
        if self.schema_hash != SCHEMA_HASH:
            return f"feature schema {self.schema_hash}, this pullrisk computes {SCHEMA_HASH}"
        if self.layout != LAYOUT:
            return f"layout {self.layout}, this pullrisk writes layout {LAYOUT}"
        return None

    def encode(self) -> str:
        """The JSON that `read` understands."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, description: str | None, *, root: str) -> "Identity":
        """The identity of the table at `root`; LakeError if it is foreign or newer."""
        try:
            identity = msgspec.json.decode(description or "", type=cls)
        except (ValueError, RecursionError) as error:
            raise LakeError(
                f"{root}/{TABLE} is a Delta table of another program",
                hint="name another folder for the lake",
            ) from error
        if identity.layout > LAYOUT:
            raise LakeError(
                f"lake {root} has layout {identity.layout}, written by pullrisk "
                f"{identity.pullrisk}; this pullrisk knows layout {LAYOUT}",
                hint="upgrade pullrisk, or name another lake",
            )
        return identity


def batch(block: Block, *, run: int) -> pa.RecordBatch:
    """A block's rows in the table's columns, marked as written by `run`."""
    rows = len(block)
    columns = np.ascontiguousarray(block.matrix.T)
    links = [[msgspec.structs.astuple(link) for link in row] if row else row for row in block.links]
    return pa.record_batch(
        [
            pa.array([block.repository] * rows, pa.string()),
            pa.array(block.numbers, pa.int64()),
            pa.array(block.merged_at, MERGED_AT),
            pa.array(block.authors, pa.string()),
            pa.array(block.example, pa.bool_()),
            *map(pa.array, columns),
            pa.array(links, pa.list_(LINK)),
            *_texts(block),
            pa.array(np.full(rows, run, np.int64)),
        ],
        schema=SCHEMA,
    )


def table_of(columns: Sequence[object], names: Sequence[str]) -> pa.Table:
    """A table of these columns of SCHEMA."""
    return pa.table(list(columns), schema=pa.schema([SCHEMA.field(name) for name in names]))


def _texts(block: Block) -> list[pa.Array]:
    """The columns of TEXTS."""
    if not len(block):
        return [pa.array([], SCHEMA.field(name).type) for name in TEXTS]
    titles, labels, paths, reverts = zip(*block.texts, strict=True)
    return [
        pa.array(titles, pa.string()),
        _text_lists(labels),
        _text_lists(paths),
        pa.array(reverts, pa.bool_()),
    ]


def _text_lists(rows: Sequence[tuple[str, ...]]) -> pa.Array:
    """A list column from its parts: a third of the time that Arrow takes over nested lists."""
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, pa.array([*chain.from_iterable(rows)], pa.string()))
