"""What the gate lets in, and what it keeps out and why."""

import msgspec
import pytest

from pullrisk.options import GateOptions
from pullrisk.train.baselines import BOOSTING, LINES_ADDED, LOGISTIC
from pullrisk.train.comparison import PairedComparison
from pullrisk.train.evaluation import OURS, Evaluation, Figures, Interval, Reconstruction
from pullrisk.train.gate import FIGURE, Decision, Incumbent, decide

AHEAD, EVEN, BEHIND = (
    Interval(0.05, 0.02, 0.08), Interval(0.004, -0.01, 0.02), Interval(-0.05, -0.08, -0.02),
)  # fmt: skip


def judged(
    against: dict[str, Interval] | None = None, *, positives: int = 100, has_risk: bool = True
) -> Evaluation:
    """An evaluation with the given differences; ahead of every other baseline."""
    named = {"lines": LINES_ADDED, "logistic": LOGISTIC, "boosting": BOOSTING}
    found = {name: (against or {}).get(short, AHEAD) for short, name in named.items()}
    models = {name: Figures({FIGURE: Interval(0.6)}, {}) for name in named.values()}
    if has_risk:
        models[OURS] = Figures({FIGURE: Interval(0.65)}, {})
    return Evaluation(
        target="reverted", pulls=5000, positives=positives, immature=0, since="2026-01-01",
        until="2026-06-01", models=models,
        differences={name: {FIGURE: each} for name, each in found.items()} if has_risk else {},
        bands={}, probability=None, capture=None,
        reconstruction=Reconstruction(0, 0, 0, 0), novelty=None, repositories=[], notes=[],
    )  # fmt: skip


def met(
    difference: Interval, also: dict[str, Interval] | None = None, *, positives: int = 100
) -> PairedComparison:
    differences = {FIGURE: difference, "pooled_auc": EVEN, "brier": EVEN, **(also or {})}
    figures = dict.fromkeys(differences, Interval(0.6))
    return PairedComparison(
        target="reverted", pulls=4000, positives=positives, repositories=3, since="2026-01-01",
        until="2026-06-01", first=figures, second=figures, difference=differences,
    )  # fmt: skip


def asked(
    evaluation: Evaluation,
    champion: Incumbent | None = None,
    *,
    rolled_back: str | None = None,
    **options: float,
) -> Decision:
    """The decision; without a champion the general model is met, and beaten."""
    gate, met_by = GateOptions.model_validate(options), champion or general(met(AHEAD))
    return decide("4", evaluation, met_by, options=gate, rolled_back=rolled_back)


def champion(contest: PairedComparison | None, **facts: bool | str) -> Incumbent:
    return msgspec.convert({"version": "3", "contest": contest, **facts}, Incumbent)


def general(contest: PairedComparison) -> Incumbent:
    return Incumbent(version="general", comparison=contest)


def test_a_challenger_ahead_of_everyone_is_let_in_with_the_numbers() -> None:
    found = asked(judged(), champion(met(AHEAD)))
    assert found.promote
    assert (found.challenger, found.champion) == ("4", "3")
    assert any("beats the champion (version 3)" in reason for reason in found.reasons)
    assert any("+0.0500 [+0.0200, +0.0800]" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        (EVEN, "it cannot be told apart from the champion"),
        (BEHIND, "the champion (version 3) beats it"),
    ],
)  # fmt: skip
def test_a_challenger_that_does_not_beat_the_champion_is_kept_out(
    difference: Interval, reason: str
) -> None:
    found = asked(judged(), champion(met(difference)))
    assert not found.promote
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(reason)


@pytest.mark.parametrize("baseline", ["lines", "logistic", "boosting"])
def test_every_baseline_has_to_be_beaten_where_there_is_a_champion(baseline: str) -> None:
    found = asked(judged({baseline: EVEN}), champion(met(AHEAD)))
    assert not found.promote
    assert len(found.reasons) == 1


@pytest.mark.parametrize(
    ("differences", "let_in"),
    [
        ({"logistic": EVEN, "boosting": EVEN}, True),
        ({"boosting": BEHIND}, False),
        ({"lines": EVEN}, False),
    ],
)
def test_the_first_model_must_beat_lines_added_and_not_be_beaten_by_the_others(
    differences: dict[str, Interval], let_in: bool
) -> None:
    found = asked(judged(differences))
    assert found.promote is let_in
    assert found.champion == "general"


@pytest.mark.parametrize("difference", [EVEN, BEHIND])
def test_the_first_model_must_be_ahead_of_the_general_one(difference: Interval) -> None:
    found = asked(judged(), general(met(difference)))
    assert not found.promote
    (reason,) = found.reasons
    assert "general model" in reason


def test_a_general_model_that_learnt_from_the_test_window_is_not_met() -> None:
    found = asked(judged(positives=40), general(met(BEHIND, positives=3)))
    assert found.promote
    assert any("learnt from all but 3 of the 40 pulls" in reason for reason in found.reasons)


def test_a_margin_lets_a_model_in_that_is_as_good() -> None:
    evaluation, incumbent = judged({"boosting": EVEN}), champion(met(EVEN))
    assert not asked(evaluation, incumbent, margin=0.005).promote
    found = asked(evaluation, incumbent, margin=0.02)
    assert found.promote
    assert any("within 0.02 of the champion" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "worse", [{"pooled_auc": BEHIND}, {"brier": AHEAD}], ids=["pooled AUC", "Brier score"]
)
def test_a_better_ranking_does_not_excuse_a_worse_probability_or_pooled_auc(
    worse: dict[str, Interval],
) -> None:
    found = asked(judged(), champion(met(AHEAD, worse)), margin=0.05)
    assert not found.promote
    assert "is worse than that of the champion (version 3)" in found.reasons[0]


def test_too_few_outcomes_decide_nothing() -> None:
    first = asked(judged(positives=19))
    assert not first.promote
    assert "19 matured pulls" in first.reasons[0]
    against = asked(judged(), champion(met(AHEAD, positives=5)), least_positives=6)
    assert not against.promote
    assert "the window that neither model saw has 5 matured pulls" in against.reasons[0]


def test_a_champion_that_cannot_be_compared_blocks_and_says_why() -> None:
    found = asked(judged(), champion(None, why="it was trained on feature schema ab"))
    assert not found.promote
    assert "trained on feature schema ab" in found.reasons[0]


def test_a_model_without_risk_is_kept_out_for_that_alone() -> None:
    found = asked(judged(has_risk=False))
    assert not found.promote
    assert found.reasons == ("it gives no risk, only novelty",)


def test_the_same_model_is_no_challenger_to_itself() -> None:
    found = asked(judged(), champion(None, same_model=True))
    assert not found.promote
    assert "this very model" in found.reasons[0]


def test_a_version_that_was_rolled_back_stays_out() -> None:
    found = asked(judged(), champion(met(AHEAD)), rolled_back="it missed migrations")
    assert not found.promote
    assert found.reasons == ("it was rolled back: it missed migrations",)


def test_baselines_that_were_not_measured_keep_a_model_out() -> None:
    bare = msgspec.structs.replace(judged(), differences={})
    assert not asked(bare).promote
