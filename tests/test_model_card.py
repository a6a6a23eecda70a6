"""The model card is generated from the evaluation's JSON, and says what that says."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from pullrisk.progress import Silent
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import Categories, CategoryFigures, Interval
from support.training import shared_training, training_of_both_with_code, training_with_code

ROOT = Path(__file__).parents[1]
CARD = ROOT / "src" / "pullrisk" / "model" / "general.json"


@pytest.fixture(scope="module")
def page() -> Callable[[dict[str, Any]], str]:
    made: Callable[[dict[str, Any]], str] = runpy.run_path(
        str(ROOT / "tools" / "generate_model_card.py")
    )["page"]
    return made


@pytest.fixture
def card() -> dict[str, Any]:
    """The general model's JSON, with an evaluation of this code."""
    data, trained = shared_training()
    options = Options(resamples=10, baselines=False)
    evaluation = evaluate(trained.bundle, data, options=options, progress=Silent())
    found: dict[str, Any] = json.loads(CARD.read_text(encoding="utf-8"))
    return found | {"evaluation": to_builtins(evaluation)}


def test_the_model_card_is_what_the_general_model_s_json_says(
    page: Callable[[dict[str, Any]], str],
) -> None:
    generated = page(json.loads(CARD.read_text(encoding="utf-8")))
    committed = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert generated == committed, "run: make docs"


def test_every_figure_of_the_evaluation_is_in_the_card(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    text, evaluation = page(card), card["evaluation"]
    assert f"{evaluation['pulls']:,} matured pull requests" in text
    auc = evaluation["models"]["pullrisk"]["ranking"]["within_auc_weighted"]
    assert f"{auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in text
    assert f"{evaluation['probability']['expected_calibration_error']:.4f}" in text
    for cost in evaluation["costs"]:
        assert f"| {cost['reviews']:,} | {cost['caught']:,} |" in text
    for segment in evaluation["segments"]:
        assert f"| {segment['kind']}: {segment['name']} | {segment['pulls']:,} |" in text
    for repository in evaluation["repositories"]:
        assert f"| {repository['repository']} | {repository['pulls']:,} |" in text


def test_the_card_has_no_hole_where_an_evaluation_has_no_risk(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    absent = dict.fromkeys(("probability", "capture", "scores", "novelty", "alarm", "categories"))
    empty: dict[str, Any] = {
        "models": {},
        "differences": {},
        "bands": {},
        "costs": [],
        "segments": [],
    }
    nothing = {**absent, **empty, "notes": ["the model has no risk"]}
    text = page(card | {"unseen": [], "evaluation": card["evaluation"] | nothing})
    assert "The evaluation has no risk to judge." in text
    assert "- the model has no risk" in text
    assert "None" not in text


def test_alarms_and_categories_are_told_where_they_were_judged(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    assert "of false alarms" in page(card)
    figure = Interval(0.71, 0.68, 0.74)
    told = Categories(
        1234, figure, Interval(0.5), Interval(0.21, 0.2, 0.22), 0.8, 0.6, 0.01,
        [CategoryFigures("fix", 500, figure, Interval(0.4))],
    )  # fmt: skip
    text = page(card | {"evaluation": card["evaluation"] | {"categories": to_builtins(told)}})
    assert "macro-F1 is\n0.710 [0.680, 0.740]" in text
    assert "| fix | 500 | 0.710 [0.680, 0.740] | 0.400 |" in text


def test_the_card_leads_with_what_the_riskiest_tenth_holds(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    text, cost = page(card), card["evaluation"]["costs"][1]
    precision = 100 * cost["caught"] / cost["reviews"]
    assert f"**Of the riskiest tenth of each repository {precision:.2f} % [" in text
    assert text.index("**Of the riskiest tenth") < text.index("| model |")


def test_the_card_judges_code_pulls_apart(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    data, trained = training_with_code()
    options = Options(resamples=10)
    found = evaluate(trained.bundle, data, options=options, progress=Silent())
    assert found.code_pulls is not None
    text = page(card | {"evaluation": to_builtins(found)})
    assert f"Only the {found.code_pulls.pulls:,} that change at least three lines of code" in text
    lines = found.code_pulls.differences["code lines added"]["like_size_auc"]
    assert f"{lines.value:+.3f} [{lines.low:+.3f}, {lines.high:+.3f}] |" in text


def test_the_card_judges_each_answer_on_its_own_outcome_seen_and_unseen(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any]
) -> None:
    data, trained = training_of_both_with_code()
    options = Options(resamples=2)
    found = evaluate(trained.bundle, data, options=options, progress=Silent())
    told = to_builtins(found)
    unseen = [{"repositories": [name], "evaluation": told} for name in ("a/b", "c/d")]
    text = page(card | {"evaluation": told, "unseen": unseen})
    for outcome, whole in found.questions.items():
        part = whole.code_pulls
        assert part is not None
        counts = f"{part.positives:,} of {part.pulls:,}"
        title = f"*{outcome.capitalize()}*, {counts} pull requests that change at least three"
        rows = text.split(title)[1].split("\n\n")[1].splitlines()
        assert [row.split(" | ")[0].strip("| *") for row in rows[2:]] == list(part.models)
        figure = part.differences["gradient boosting"]["average_precision"]
        assert f"{figure.value:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]" in rows[-1]
        table = text.split(f"*{outcome.capitalize()}*, pull requests that")[1].split("\n\n")[1]
        mean = part.models["pullrisk"].ranking["lift_10"].value
        assert f"| {mean:.2f} |" in table.splitlines()[-1]


@pytest.mark.parametrize(
    "section",
    ["What it is for", "What it is not for", "Data", "How good it is", "Limits",
     "People in the data"],
)  # fmt: skip
def test_the_card_speaks_of_use_data_figures_limits_and_people(
    page: Callable[[dict[str, Any]], str], card: dict[str, Any], section: str
) -> None:
    assert f"\n## {section}\n" in page(card)
