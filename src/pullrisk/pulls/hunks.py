"""What a change does to a file stretch by stretch, where a clone tells it."""

from datetime import datetime

import msgspec


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
