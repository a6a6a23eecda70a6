"""Tables on a terminal, aligned text in a pipe, JSON on request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from rich.table import Table
from rich.text import Text

from pullrisk.cli.display.console import console, is_terminal, named, write_bytes
from pullrisk.cli.display.log import json_line, json_lines
from pullrisk.cli.display.plain import escaped, plain

if TYPE_CHECKING:
    from pullrisk.wiring.checks import Check

WIDE: Final = ("pull request", "title", "why")
"""Columns of running text: on a terminal they share what the others leave."""
_STATES: Final = {"ok": "green", "absent": "dim", "stale": "yellow", "broken": "bold red"}


def print_json(value: object) -> None:
    """The value as JSON in UTF-8, times in ISO 8601: indented, or on one line where every line
    is JSON.
    """
    encoded = msgspec.json.encode(value, enc_hook=_plain)
    shown = encoded if json_lines() else msgspec.json.format(encoded, indent=2)
    write_bytes(f"{escaped(shown.decode())}\n".encode())


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()
) -> None:
    """Rows under their columns; those named in `right` are numbers and align to the right."""
    if json_lines():
        for row in rows:
            cells = (_flat(cell).plain for cell in row)
            print(json_line("info", "row", **dict(zip(columns, cells, strict=True))))
        return
    table = _rich_table if is_terminal() else aligned
    shown = table(columns, [[_shown(cell) for cell in row] for row in rows], right)
    with named("stdout"):
        console().print(shown)


def print_checks(checks: Sequence["Check"]) -> None:
    """What was looked at, a line each."""
    rows: list[list[str | Text]] = [
        [Text(each.state, style=_STATES[each.state]), each.what, each.found, each.todo]
        for each in checks
    ]
    print_table(("state", "what", "found", "to do"), rows)


def _shown(cell: str | Text) -> Text:
    if isinstance(cell, str):
        return Text(plain(cell))
    cell.plain = plain(cell.plain)  # as long as before, so that its styles stay in place
    return cell


def aligned(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str] = ()
) -> Text:
    """The table as lines of text: columns two spaces apart, nothing cut, no trailing space."""
    cells = [[Text(name, "bold") for name in columns]]
    cells += [[_flat(cell) for cell in row] for row in rows]
    widths = [max(row[index].cell_len for row in cells) for index in range(len(columns))]
    for row in cells:
        for cell, width, name in zip(row, widths, columns, strict=True):
            cell.align("right" if name in right else "left", width)
    lines = [Text("  ").join(row) for row in cells]
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


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


def _flat(cell: str | Text) -> Text:
    """The cell on one line; lines of it become parts."""
    text = cell if isinstance(cell, Text) else Text(cell)
    parts = (" ".join(line.split()) for line in text.plain.splitlines())
    return Text("; ".join(parts), text.style)


def _plain(value: object) -> object:
    """numpy's numbers and arrays, and paths, for JSON."""
    to_list = getattr(value, "tolist", None)
    return str(value) if to_list is None else to_list()
