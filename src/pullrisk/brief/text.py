"""A brief as plain text for a terminal; whoever prints it removes what would steer a terminal."""

from textwrap import fill
from typing import Final

from pullrisk.brief.result import Brief
from pullrisk.brief.sections import Item, answers, notes, sections

_WIDTH: Final = 100
_JOINED: Final = "\N{NO-BREAK SPACE}"


def as_text(brief: Brief, *, width: int = _WIDTH) -> str:
    """The whole brief in lines of at most `width` characters, but for words that are longer."""
    title = " ".join(brief.title.split())
    number = f"#{brief.number}" if brief.number else ""  # a branch has none before it is opened
    head = [f"{brief.repository}{number} {title}".rstrip(), brief.verdict]
    head += [line for line in (answers(brief), brief.url or "") if line]
    lines = [_wrapped(line, "", width) for line in head]
    for section in sections(brief):
        lines += ["", section.heading]
        for item in section.items:
            lines += _item(item, "  - ", width)
    noted = [_wrapped(note, "note: ", width) for note in notes(brief)]
    return "\n".join([*lines, *[""] * bool(noted), *noted])


def _item(item: Item, before: str, width: int) -> list[str]:
    aside = f" ({item.aside})" if item.aside else ""
    lines = [_wrapped(f"{item.text}{aside}", before, width)]
    for each in item.below:
        lines += _item(each, f"    {before}", width)
    return lines


def _wrapped(text: str, before: str, width: int) -> str:
    """The text on lines; a number stays with its per-cent sign."""
    lines = fill(
        " ".join(text.split()).replace(" %", f"{_JOINED}%"),
        width,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_JOINED, " ")
