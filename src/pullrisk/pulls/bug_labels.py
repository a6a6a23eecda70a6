"""Which labels mark bugs: of a pull that fixes one, and of an issue that is one.

Apart from outcomes, because the record and the reader of GitHub ask for it too.
"""

import re
from typing import Final

_LABEL: Final = re.compile(
    r"(?:[\w. ]{1,20}[:/-] ?)?(?:type )?(?:confirmed )?"
    r"(?:bugs?|bug[ _-]?fix(?:es)?|fix|hot-?fix|regressions?|defects?|crash)"
    r"(?: ?\((?:regression|crash|bug)\))?",
    re.IGNORECASE,
)
_NO_BUG: Final = re.compile(
    r"\b(?:no|not|non|needs?|without|report|wo?nt|can(?:no)?t|invalid|docs?|documentation|tests?|ci)\b",
    re.IGNORECASE,
)
_DECORATION: Final = re.compile(r":[a-z_]+:(?=\s|$)|[^\x00-\x7f]+")


def labelled_as_bug(labels: tuple[str, ...]) -> bool:
    """Whether one of the labels marks bugs: `bug`, `kind/bug`, `type: regression`, `C-bug`."""
    plain = (_DECORATION.sub("", label).strip() for label in labels)
    return any(_LABEL.fullmatch(label) and not _NO_BUG.search(label) for label in plain)
