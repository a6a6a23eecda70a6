"""The verdict: one sentence that never looks low where nobody knows."""

from typing import Final

from pullrisk.brief.wording import share
from pullrisk.score.result import Score

ENOUGH_PULLS: Final = 20
"""Merged pulls from which on a repository's history tells something."""
UNREACHABLE: Final = "Unknown: the history of this repository cannot be read now."
_LIKELY: Final = 0.25
_AS_MOST: Final = 40.0
_ABOVE_MOST: Final = 65.0
"""Ranks between which a risk is about that of most pulls; the band begins to be elevated at 80."""


def verdict(score: Score, usual: float | None, merged: int) -> str:
    """What a score says, beside the repository's `usual` risk.

    `merged` are the pulls that its history knew; with too few of them, or without a risk, the
    sentence says why nothing is known.
    """
    if score.basis == "history unreachable":
        return UNREACHABLE
    if score.risk is None:
        return "Unknown: the model tells no risk, for it saw too few outcomes."
    if not known(score, merged):
        seen = "no" if not merged else f"only {merged}"
        return f"Not enough history to tell: {seen} merged pulls of this repository are known."
    return f"{_lead(score)}: {share(score.risk)}, {_rank(score, usual)}."


def known(score: Score, merged: int) -> bool:
    """Whether the score's risk means anything."""
    lost = score.basis in ("no history", "history unreachable")
    return score.risk is not None and not lost and merged >= ENOUGH_PULLS


def _lead(score: Score) -> str:
    if score.band in ("elevated", "high") and (score.risk or 0.0) >= _LIKELY:
        return "Likely to need a fix"
    if score.band == "high":
        return "Much more likely to need a fix than most"
    if score.band == "elevated":
        return "More likely to need a fix than most"
    if (score.percentile or 0.0) >= _ABOVE_MOST:
        return "Somewhat more likely to need a fix than most"
    if (score.percentile or 0.0) >= _AS_MOST:
        return "About as likely to need a fix as most"
    return "Less likely to need a fix than most"


def _rank(score: Score, usual: float | None) -> str:
    percent = min(99, int(score.percentile or 0.0))  # nothing is riskier than all, itself included
    rank = f"riskier than {percent} %" if percent >= 1 else "among the least risky 1 %"
    rank = f"{rank} of this repository's pulls"
    return rank if usual is None else f"{rank} (usually {share(usual)})"
