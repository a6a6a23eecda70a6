"""What commands print: tables on a terminal, aligned text in a pipe, JSON on request."""

import sys
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE: Final = ("pull request", "title", "why")
"""Columns of running text: on a terminal they share what the others leave."""


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def terminal() -> Console:
    """Standard output; rich leaves colours out where it is a pipe or NO_COLOR is set."""
    return Console(highlight=False, soft_wrap=not is_terminal())


def say(text: str, *, style: str = "") -> None:
    """One line on standard output."""
    terminal().print(Text(text, style=style))


def warn(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="yellow"))


def print_json(value: object) -> None:
    """The value as indented JSON, times in ISO 8601."""
    print(msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2).decode())


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()
) -> None:
    """Rows under their columns; those named in `right` are numbers and align to the right."""
    if is_terminal():
        terminal().print(_rich_table(columns, rows, right))
    else:
        print(aligned(columns, rows, right=right))


def aligned(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()
) -> str:
    """The table as plain text: columns two spaces apart, nothing cut, no trailing space."""
    cells = [list(columns)] + [[_flat(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    numeric = [name in right for name in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    )


def _rich_table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str]
) -> Table:
    wide = any(name in WIDE for name in columns)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), expand=wide)
    for name in columns:
        if name in right:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold", ratio=1 if name in WIDE else None)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table


def _flat(cell: str | Text) -> str:
    """The cell on one line; lines of it become parts."""
    text = cell.plain if isinstance(cell, Text) else cell
    return "; ".join(" ".join(line.split()) for line in text.splitlines())


def _plain(value: object) -> object:
    """numpy's numbers and arrays, and paths, for JSON."""
    to_list = getattr(value, "tolist", None)
    return str(value) if to_list is None else to_list()
