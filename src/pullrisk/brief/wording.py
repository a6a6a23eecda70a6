"""Words that the parts of a brief share: counts, ages, shares, names of pulls and paths."""

from typing import Final

_MONTH: Final = 30.44
_YEAR: Final = 365.25
_LISTED: Final = 3

UNSEEN: Final = "\x7f-\x9f\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ud800-\udfff"
"""Ranges of characters that a page does not show, and that turn or hide what stands beside them:
DEL and C1, marks of direction, spaces of no width, separators of lines, halves of surrogate pairs.
"""


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """`1 file`, `3 files`, `1,200 lines`; `plural` if it is no mere s."""
    whole = round(number)
    return f"{whole:,} {noun if whole == 1 else plural or f'{noun}s'}"


def removing_verb(code_added: float) -> str:
    """What a change does to earlier code: `rewrites`, or `removes` it if it adds none."""
    return "rewrites" if code_added else "removes"


def share(value: float) -> str:
    """A probability or share in per cent: `34 %`, `4.2 %`, `less than 0.1 %`."""
    if 0 < value < 0.001:
        return "less than 0.1 %"
    return f"{100 * value:.1f} %" if 0 < value < 0.0495 else f"{100 * value:.0f} %"


def age(days: float) -> str:
    """How long ago: `less than a day ago`, `a day ago`, `9 days ago`, `5 weeks ago`."""
    return "a day ago" if 1 <= days < 2 else f"{duration(days)} ago"


def duration(days: float) -> str:
    """A length of time: `less than a day`, `9 days`, `5 weeks`, `4 months`, `3 years`."""
    if days < 1:
        return "less than a day"
    if days < 21:
        return counted(int(days), "day")
    if days < 2 * _MONTH:
        return counted(days / 7, "week")
    if days < 2 * _YEAR:
        return counted(days / _MONTH, "month")
    return counted(days / _YEAR, "year")


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`."""
    shown, more = names[:_LISTED], len(names) - _LISTED
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)
