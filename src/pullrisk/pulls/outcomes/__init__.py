"""Which merged pulls were reverted, hot-fixed, repaired or landed again, by which pulls and pushes.

text.py          finds references and drops quoted text
prefilters.py    cheap tests that rule out the many texts without a claim
titles.py        takes a title apart that undoes or redoes something
claims.py        what one pull says about itself: `claims`, `is_undo`, `makes_claims`
fixes.py         whether a pull says that it fixes something, and whose lines it then removes
merged_pulls.py  the pulls and pushes that a claim may mean: `MergedPullIndex`
linker.py        ties claims to earlier pulls, one event at a time: `Linker`, `Link`
"""

from pullrisk.pulls.outcomes.claims import is_undo, makes_claims
from pullrisk.pulls.outcomes.fixes import says_fix
from pullrisk.pulls.outcomes.linker import LABEL_DEFINITION, Link, Linker, LinkerState

__all__ = [
    "LABEL_DEFINITION", "Link", "Linker", "LinkerState", "is_undo", "makes_claims", "says_fix",
]  # fmt: skip
