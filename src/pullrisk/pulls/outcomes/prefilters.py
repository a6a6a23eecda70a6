"""Cheap tests that rule out the many texts without a claim, before the patterns read the rest.

They run on every pull, so each is one expression of substring tests: a loop over a tuple of words
takes twice as long, a regular expression more. A false positive costs time only; there are no
false negatives for the patterns of titles.py and claims.py (except for rare capitals).
"""

import re
from typing import Final

_NUMBER: Final = re.compile(r"#\d").search


def title_may_undo(title: str) -> bool:
    """Whether a title in lower case may undo or redo something."""
    return (
        "evert" in title
        or "land" in title
        or "eappl" in title
        or "e-appl" in title
        or "emerge" in title
        or " back" in title
        or "ollback" in title
        or " out" in title
        or "ackout" in title
        or "estor" in title
        or "einstat" in title
        or "eintroduc" in title
        or "undo" in title
    )


def title_may_blame(title: str) -> bool:
    """Whether a title in lower case may name an earlier pull as the cause of a fault."""
    return (
        "egress" in title
        or "roke" in title
        or "ntroduced" in title
        or "aused" in title
        or "otfix" in title
    )


def title_may_fix(title: str) -> bool:
    """Whether a title in lower case may speak of a fault or its repair."""
    return (
        "fix" in title
        or "bug" in title
        or "correct" in title
        or "error" in title
        or "rash" in title
        or "wrong" in title
        or "anic" in title
        or "leak" in title
        or "exception" in title
        or "regress" in title
        or "broken" in title
        or "breakage" in title
        or "repair" in title
        or "race" in title
        or "dead" in title
        or "null" in title
        or "nil" in title
        or "npe" in title
        or "loop" in title
        or "fail" in title
        or "issue" in title
        or "problem" in title
        or "overflow" in title
        or "reference" in title
        or "hang" in title
        or "fault" in title
        or "corrupt" in title
        or "recursi" in title
        or "free" in title
        or "by one" in title
        or "by-one" in title
        or "of bound" in title
        or "of-bound" in title
        or "by zero" in title
    )


def body_may_claim(body: str) -> bool:
    """Whether a body may have a claim; all but reverts and `Fixes: <sha>` need a number."""
    return (
        "evert" in body
        or "ixes: " in body
        or (
            (_NUMBER(body) is not None or "/pull/" in body)
            and (
                "egress" in body
                or "roke" in body
                or "ntroduced" in body
                or "aused" in body
                or "isect" in body
                or "otfix" in body
                or "eland" in body
                or "e-land" in body
                or "eappl" in body
                or " out #" in body
                or " since #" in body
            )
        )
    )
