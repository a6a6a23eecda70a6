"""Texts of strangers (titles, names, paths) without what would steer a terminal or hide text."""

import re
from typing import Final

# C0 but tab and newline, DEL and C1; the marks and isolates of bidirectional text; separators of
# lines and paragraphs; halves of surrogate pairs.
_STEERING: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff"
)
_SHOWN: Final = re.compile(f"[{_STEERING}]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """The text with U+FFFD for each character that a terminal would obey or not show."""
    return _SHOWN.sub(_REPLACEMENT, text)


def escaped(json: str) -> str:
    """The JSON with such characters, which can only stand in its strings, as \\uXXXX."""
    return _SHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", json)
