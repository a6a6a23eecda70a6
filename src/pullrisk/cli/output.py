"""What commands print: tables on a terminal, aligned text in a pipe, JSON on request."""

import sys
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

RIGHT: Final = "right"
_PIPE_WIDTH: Final = 10_000


def terminal() -> Console:
    """Standard output; rich leaves colours out where it is a pipe or NO_COLOR is set."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


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
    if sys.stdout.isatty():
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
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        if name in right:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table


def _flat(cell: str | Text) -> str:
    return " ".join((cell.plain if isinstance(cell, Text) else cell).split())


def _plain(value: object) -> object:
    """numpy's numbers and arrays, and paths, for JSON."""
    to_list = getattr(value, "tolist", None)
    return str(value) if to_list is None else to_list()
