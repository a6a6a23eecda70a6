"""The table of scores: a line a pull, within 100 columns; and the same for programs."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Final

import msgspec
import pytest

from pullrisk.brief.result import Brief, Reason, ScoredPull
from pullrisk.cli.display.scores import print_scores, show_briefs, show_scores

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
REASON: Final = Reason(
    kind="young lines", text="rewrites 42 lines that #4711 wrote 9 days ago " + "and more " * 20,
    effect=0.07, without=0.27, features=("rewritten_month",),
)  # fmt: skip
LOWERS: Final = Reason(
    kind="tests", text="changes 3 test files too", effect=-0.02, without=0.36, features=()
)
BRIEF: Final = Brief(
    repository="o/r", number=7, title="Handle an empty list", author="ann", state="open",
    verdict="Likely to need a fix: 34 %.", basis="history", risk=0.34, band="high",
    percentile=99.0, novelty=40.0, usual=0.11, reasons=(REASON, LOWERS),
)  # fmt: skip
SCORED: Final = ScoredPull(
    repository="o/r", number=7, title="Handle an empty list", author="ann", state="open",
    url="https://github.com/o/r/pull/7", updated_at=NOW, as_of=NOW, basis="history", risk=0.34,
    repair=0.33, revert=0.02, band="high", percentile=99.0, novelty=40.0, novelty_error=1.0,
    brief=BRIEF,
)  # fmt: skip
UNKNOWN: Final = "Not enough history to tell: no merged pulls of this repository are known."


def table(capsys: pytest.CaptureFixture[str], *scored: ScoredPull) -> list[str]:
    print_scores(scored)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", ["o/r", "some-organisation/with-a-rather-long-name"])
def test_a_line_has_the_pull_its_risk_a_bar_its_band_and_the_first_reason(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    heading, line = table(capsys, msgspec.structs.replace(SCORED, repository=name))
    assert heading.split() == ["pull", "request", "risk", "band", "why"]
    assert line.split()[:3] == [f"{name}#7", "34.0", "%"]
    assert "██▊" in line
    assert "high" in line
    assert "rewrites 42 lines" in line
    assert len(line) <= 100


def test_what_is_unknown_is_no_low_number(capsys: pytest.CaptureFixture[str]) -> None:
    brief = msgspec.structs.replace(BRIEF, risk=None, band=None, reasons=(), verdict=UNKNOWN)
    _, line = table(capsys, msgspec.structs.replace(SCORED, risk=0.02, band="low", brief=brief))
    assert "%" not in line
    assert "low" not in line
    assert "Not enough history to tell" in line


def test_without_a_brief_the_score_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, line = table(capsys, msgspec.structs.replace(SCORED, brief=None))
    assert line.split()[-1] == "high"


def test_what_lowers_a_risk_is_told_where_nothing_raises_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    brief = msgspec.structs.replace(BRIEF, reasons=(LOWERS,))
    assert (
        "speaks for it: changes 3 test files too"
        in table(capsys, msgspec.structs.replace(SCORED, brief=brief))[1]
    )


def test_json_holds_the_score_and_the_whole_brief(capsys: pytest.CaptureFixture[str]) -> None:
    show_scores([SCORED], "json")
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["risk"], told["brief"]["reasons"][0]["effect"]) == (0.34, 0.07)


@pytest.mark.parametrize("title", ['=HYPERLINK("x")', "+1", "@sum", "-2", 'a "b", c\nd'])
def test_no_cell_of_csv_is_a_formula(capsys: pytest.CaptureFixture[str], title: str) -> None:
    show_scores([msgspec.structs.replace(SCORED, title=title)], "csv")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["number"], row["risk"], row["band"]) == ("7", "0.34", "high")
    assert row["title"].lstrip("'") == " ".join(title.split())
    assert row["title"][0] not in "=+-@"
    assert row["reasons"].startswith("rewrites 42 lines")


def test_briefs_are_shown_as_text_and_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    show_briefs([BRIEF, BRIEF], "text")
    assert capsys.readouterr().out.count("Likely to need a fix: 34 %.") == 2
    show_scores([SCORED, msgspec.structs.replace(SCORED, brief=None)], "markdown")
    assert capsys.readouterr().out.startswith("### o/r\\#&#8203;7 Handle an empty list\n\n**Likely")


def test_a_title_steers_no_terminal_in_any_form(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\u202ex"
    scored = msgspec.structs.replace(
        SCORED, title=hostile, brief=msgspec.structs.replace(BRIEF, title=hostile)
    )
    show_scores([scored], "csv")
    show_scores([scored], "markdown")
    show_briefs([scored.brief] if scored.brief else [], "text")
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
