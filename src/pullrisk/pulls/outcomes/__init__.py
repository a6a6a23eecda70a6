"""What became of merged pulls: which was reverted, hot-fixed or landed again, by which, and why.

text.py     finds references and drops quoted text
claims.py   what one pull says about itself: `claims`, `is_revert`, `is_reland`, `is_undo`
linker.py   ties claims to earlier pulls, one merge at a time: `Linker`, `Link`
labels.py   the fate of every pull of a finished history: `outcomes`, `Outcome`
"""

from pullrisk.pulls.outcomes.claims import Claim, claims, is_reland, is_revert, is_undo
from pullrisk.pulls.outcomes.labels import LABEL_DEFINITION, Outcome, outcomes
from pullrisk.pulls.outcomes.linker import Link, Linker, LinkerState

__all__ = [
    "LABEL_DEFINITION",
    "Claim",
    "Link",
    "Linker",
    "LinkerState",
    "Outcome",
    "claims",
    "is_reland",
    "is_revert",
    "is_undo",
    "outcomes",
]
