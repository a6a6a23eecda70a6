from datetime import UTC, datetime
from typing import Any

import pytest

from pullrisk.brief.verdict import verdict
from pullrisk.score.result import Score

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def score(**answers: Any) -> Score:
    values: dict[str, Any] = {
        "repository": "o/r", "number": 7, "title": "", "author": None, "state": "open", "url": "",
        "updated_at": NOW, "as_of": NOW, "basis": "history", "risk": 0.34, "repair": 0.33,
        "revert": 0.01, "band": "elevated", "percentile": 93.0, "novelty": 40.0,
        "novelty_error": 1.0,
    }  # fmt: skip
    return Score(**{**values, **answers})


def test_a_likely_fix_is_said_beside_the_rank_and_the_usual_risk() -> None:
    assert verdict(score(), 0.11, 500) == (
        "Likely to need a fix: 34 %, riskier than 93 % of this repository's pulls (usually 11 %)."
    )


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"risk": 0.08, "band": "high"}, "Much more likely to need a fix than most: 8 %"),
        ({"risk": 0.08}, "More likely to need a fix than most: 8 %"),
        ({"risk": 0.3, "band": "low", "percentile": 78.0},
         "Somewhat more likely to need a fix than most: 30 %, riskier than 78 % of"),
        ({"risk": 0.3, "band": "low", "percentile": 60.0}, "About as likely to need a fix as most"),
        ({"risk": 0.02, "band": "low", "percentile": 9.0}, "Less likely to need a fix than most"),
        ({"risk": 0.02, "band": "low", "percentile": 0.4},
         "Less likely to need a fix than most: 2.0 %, among the least risky 1 % of"),
    ],
)  # fmt: skip
def test_words_follow_the_band_and_the_rank(answers: dict[str, Any], said: str) -> None:
    assert verdict(score(**answers), 0.05, 500).startswith(said)


@pytest.mark.parametrize(
    ("answers", "merged"),
    [({"basis": "no history"}, 0), ({}, 3), ({"risk": None}, 500),
     ({"basis": "history unreachable"}, 0)],
)  # fmt: skip
def test_what_nobody_knows_is_no_number(answers: dict[str, Any], merged: int) -> None:
    said = verdict(score(**answers), 0.05, merged)
    assert said.startswith(("Unknown", "Not enough history"))
    assert "%" not in said
