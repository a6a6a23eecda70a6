from datetime import UTC, datetime

import msgspec
import pytest

from pullrisk.cli.display.scores import print_scores
from pullrisk.model.categories import Category
from pullrisk.score.result import Score

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCORED = Score(
    repository="o/r", number=7, title="Handle an empty list", author="ann", state="open",
    url="https://github.com/o/r/pull/7", updated_at=NOW, as_of=NOW, basis="history", repair=None,
        revert=None,
        risk=0.05,
    band="high", percentile=99.0, novelty=40.0, novelty_error=1.0,
    category=Category("fix", 0.814, "network"), pattern="small change by a regular",
)  # fmt: skip


def test_scores_tell_the_category_and_its_probability_and_no_pattern(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_scores([SCORED])
    printed = capsys.readouterr().out
    assert "fix 81 %" in printed
    assert "small change by a regular" not in printed


def test_a_category_that_the_pull_states_is_told_without_a_probability(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stated = msgspec.structs.replace(SCORED, category=Category("fix", 0.814, "title"))
    print_scores([stated])
    printed = capsys.readouterr().out
    assert "fix" in printed
    assert "81 %" not in printed


def test_a_model_without_categories_leaves_them_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_scores([msgspec.structs.replace(SCORED, category=None)])
    assert "None" not in capsys.readouterr().out
