"""What the benchmark of the model is held against, and which of it does not hold."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from pullrisk.train.baselines import BOOSTING, CODE_LINES_ADDED, ISOLATION, LOGISTIC
from pullrisk.train.evaluation import OURS, Evaluation, Interval, Novelty, Part
from pullrisk.train.novelty import ALL_KINDS

SECONDS: Final = 180.0
"""Most that training may take on 200,776 pulls and two cores."""
WITHIN: Final = "within_auc_weighted"
ASKED: Final = ("risk", "repaired")
"""What the targets are held against: they were set on what is repaired; risk is what is shown."""


def missed(evaluation: Evaluation, seconds: float, peers: Mapping[str, Novelty]) -> list[str]:
    """The targets of later pulls that do not hold, those of each outcome on its own answer.

    `seconds` is what training took, `peers` are other detectors of novelty.
    """
    checks = {f"training <= {SECONDS:.0f} s": seconds <= SECONDS}
    for outcome in ASKED:
        whole = part_of(evaluation, outcome)
        if whole is None or not whole.models:
            continue
        checks[f"{outcome}: within repositories >= 0.88"] = _within(whole) >= 0.88
        code = whole.code_pulls
        if code is not None and code.models:
            ahead = code.differences
            checks[f"{outcome}, code pulls: within >= 0.79"] = _within(code) >= 0.79
            checks[f"{outcome}, code pulls: ahead of {CODE_LINES_ADDED} by 0.035"] = (
                value(ahead[CODE_LINES_ADDED][WITHIN]) >= 0.035
            )
            for name in (LOGISTIC, BOOSTING):
                checks[f"{outcome}, code pulls: ahead of {name}"] = (
                    ahead[name][WITHIN].low or 0
                ) > 0
    if evaluation.probability:
        error = evaluation.probability.expected_calibration_error
        checks["calibration error <= 0.01"] = error <= 0.01
    if evaluation.novelty:
        novelty = evaluation.novelty
        checks["novelty AUC >= 0.93"] = value(novelty.ours[ALL_KINDS]) >= 0.93
        for name, other in {ISOLATION: novelty, **peers}.items():
            checks[f"novelty ahead of {name}"] = (other.difference[ALL_KINDS].low or 0) > 0
    return [name for name, holds in checks.items() if not holds]


def missed_unseen(evaluations: Sequence[Evaluation]) -> list[str]:
    """The targets of repositories never seen that do not hold, on the mean of the rotations."""
    checks: dict[str, bool] = {}
    for outcome in ASKED:
        whole = [part for each in evaluations if (part := part_of(each, outcome))]
        code = [part.code_pulls for part in whole if part.code_pulls and part.code_pulls.models]
        checks |= {
            f"{outcome}: within repositories >= 0.865": mean(whole, OURS, WITHIN) >= 0.865,
            f"{outcome}, code pulls: within >= 0.79": mean(code, OURS, WITHIN) >= 0.79,
            f"{outcome}, code pulls: of like size >= 0.68": (
                mean(code, OURS, "like_size_auc") >= 0.68
            ),
            f"{outcome}, code pulls: lift of the riskiest tenth >= 3.3": (
                mean(code, OURS, "lift_10") >= 3.3
            ),
        }
        if code and LOGISTIC in code[0].models:
            lines = mean(code, CODE_LINES_ADDED, WITHIN)
            checks[f"{outcome}, code pulls: ahead of {CODE_LINES_ADDED} by 0.035"] = (
                mean(code, OURS, WITHIN) - lines >= 0.035
            )
            for name in (LOGISTIC, BOOSTING):
                checks[f"{outcome}, code pulls: ahead of {name} in each rotation"] = all(
                    (part.differences[name][WITHIN].low or 0) > 0 for part in code
                )
    reverts = [part for each in evaluations if (part := each.questions.get("reverted"))]
    checks |= {
        "reverted: within >= 0.66": mean(reverts, OURS, WITHIN) >= 0.66,
        "reverted: pooled >= 0.75": mean(reverts, OURS, "pooled_auc") >= 0.75,
    }
    return [name for name, holds in checks.items() if not holds]


def part_of(evaluation: Evaluation, outcome: str) -> Part | None:
    """The figures of what answers for an outcome; None where it has none."""
    return (
        everything(evaluation)
        if outcome == evaluation.target
        else evaluation.questions.get(outcome)
    )


def everything(evaluation: Evaluation) -> Part:
    """The figures of the outcome that the model is judged by first."""
    return Part(
        pulls=evaluation.pulls,
        positives=evaluation.positives,
        models=evaluation.models,
        differences=evaluation.differences,
        code_pulls=evaluation.code_pulls,
    )


def _within(part: Part) -> float:
    return value(part.models[OURS].ranking[WITHIN])


def mean(parts: Sequence[Part], model: str, figure: str) -> float:
    """The mean of a model's figure over the parts."""
    values = [value(part.models[model].ranking[figure]) for part in parts]
    return float(np.mean(values)) if values else float("nan")


def value(interval: Interval) -> float:
    """The plain figure, NaN where it cannot be told."""
    return interval.value if interval.value is not None else float("nan")
