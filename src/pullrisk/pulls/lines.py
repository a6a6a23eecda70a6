"""What a change did to lines of code: facts that a clone tells, without the code itself."""

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""A number of things, which JSON and a store can hold; checked where a record is decoded."""

TOKENS: Final = (
    "condition", "loop", "error", "null", "concurrency", "input_output", "number", "call",
    "definition", "import", "return", "todo",
)  # fmt: skip
"""Classes of tokens that are counted in added and removed code, in the order of the counts."""
Tokens: TypeAlias = Annotated[tuple[Count, ...], msgspec.Meta(max_length=len(TOKENS))]
MAX_ORIGINS: Final = 300
"""Entries of `rewrites` and of `neighbours` that are kept: those with most lines."""


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`lines` code lines that `number` wrote (a pull, or a push below 0; 0 where nobody knows).

    `file` is the position in `Pull.files`, -1 if the list was cut before it.
    """

    number: Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)]
    lines: Count
    file: Annotated[int, msgspec.Meta(ge=-1, lt=2**31)] = -1


class ChangedLines(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The lines that a change adds and removes in source files (no tests, nothing vendored).

    `rewrites` are the origins of the code lines it removes; `neighbours` those of the lines beside
    its pure insertions, with the number of insertions in `lines`. Both are None if the origins
    are not known (a patch without history). Blank and comment lines are counted apart from code.
    Hunks are counted by kind: only additions, only removals, or both. `tokens_added` and
    `tokens_removed` count TOKENS in the first 256 KiB of code lines, and TODO in comments too.
    """

    rewrites: tuple[Origin, ...] | None = None
    neighbours: tuple[Origin, ...] | None = None
    code_added: Count = 0
    code_removed: Count = 0
    comments_added: Count = 0
    comments_removed: Count = 0
    blanks_added: Count = 0
    blanks_removed: Count = 0
    hunks_added: Count = 0
    hunks_removed: Count = 0
    hunks_changed: Count = 0
    tokens_added: Tokens = ()
    tokens_removed: Tokens = ()


class ChangedHunk(msgspec.Struct, frozen=True):
    """Lines that a change replaces, removes or inserts in a file.

    Of the file as the change leaves it they are `first` to `last` (from 1, both included); where
    it only removes lines, the one before them. `rewrites` are (number, lines) of those who wrote
    the removed ones, as `Origin` has them (in a source file its code lines), and `neighbours` those
    whose lines a pure insertion stands between; both are empty if nobody knows.
    """

    first: int
    last: int
    added: int
    removed: int
    rewrites: tuple[tuple[int, int], ...] = ()
    neighbours: tuple[int, ...] = ()


class UnmergedWork(msgspec.Struct, frozen=True, kw_only=True):
    """Work beside a pull that is not merged: another open pull, or a branch of a clone.

    `paths` are the files that it changes, `same_lines` those of them in which both change the same
    lines. `since` is when a pull was opened, or when a branch had its last commit.
    """

    title: str
    paths: frozenset[str]
    since: datetime
    number: int | None = None
    branch: str | None = None
    same_lines: frozenset[str] = frozenset()
