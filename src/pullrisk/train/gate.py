"""The gate: whether a challenger has earned the champion's place, with numbers and reasons.

Risk decides, by the AUC within repositories (weighted by positives), because that is what a
team sees: which of its own pulls stand out. Each opponent is met on pulls that the challenger
never saw, with the same bootstrap resamples for both.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from pullrisk.options import GateOptions
from pullrisk.train.baselines import BOOSTING, LINES_ADDED, LOGISTIC
from pullrisk.train.comparison import BRIER, PairedComparison
from pullrisk.train.evaluation import OURS, Evaluation, Interval

FIGURE: Final = "within_auc_weighted"
BASELINES: Final = (LINES_ADDED, LOGISTIC, BOOSTING)
_GUARDS: Final = {"pooled_auc": 1, BRIER: -1}
"""Figures in which the champion must not be better; -1 where less is better."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the gate looked at; `difference` is the challenger's minus the opponent's."""

    name: str
    passed: bool
    reason: str
    figure: str | None = None
    challenger: float | None = None
    opponent: float | None = None
    difference: Interval | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says; `promote` only where every check passed."""

    promote: bool
    challenger: str
    champion: str | None
    checks: tuple[Check, ...]
    comparison: PairedComparison | None = msgspec.field(default=None, name="contest")

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands in the way, or what was beaten."""
        return tuple(check.reason for check in self.checks if check.passed == self.promote)


class Incumbent(msgspec.Struct, frozen=True, kw_only=True):
    """The champion; without a `comparison`, `why` says why there could be none."""

    version: str
    comparison: PairedComparison | None = msgspec.field(default=None, name="contest")
    has_risk: bool = True
    same_model: bool = False
    why: str = ""


def decide(
    challenger: str,
    evaluation: Evaluation,
    champion: Incumbent | None,
    *,
    options: GateOptions,
    rolled_back: str | None = None,
) -> Decision:
    """Judge a challenger by its own evaluation and its comparison with the champion.

    It has to beat lines added, logistic regression, gradient boosting and the champion: the
    paired 95 % interval lies above `-margin`. Where there is no champion yet, the two learned
    baselines must not be ahead of it. `rolled_back` is the reason why it was once taken back.
    """
    checks = list(_checks(evaluation, champion, options, rolled_back))
    return Decision(
        promote=all(check.passed for check in checks),
        challenger=challenger,
        champion=champion.version if champion else None,
        checks=tuple(checks),
        comparison=champion.comparison if champion else None,
    )


def _checks(
    evaluation: Evaluation,
    champion: Incumbent | None,
    options: GateOptions,
    rolled_back: str | None,
) -> Iterator[Check]:
    if rolled_back is not None:
        yield Check(
            name="never rolled back", passed=False, reason=f"it was rolled back: {rolled_back}"
        )
    if evaluation.models and OURS not in evaluation.models:
        yield Check(name="risk", passed=False, reason="it gives no risk, only novelty")
        return
    yield _enough(evaluation.positives, evaluation, options, "its test window")
    if evaluation.differences or evaluation.models:
        for name in BASELINES:
            yield _baseline(name, evaluation, options, first=champion is None)
    if champion is None:
        yield Check(name="champion", passed=True, reason="there is no champion yet")
    else:
        yield from _against(champion, evaluation, options)


def _enough(positives: int, evaluation: Evaluation, options: GateOptions, window: str) -> Check:
    least = options.least_positives
    return Check(
        name=f"outcomes in {window}",
        passed=positives >= least,
        reason=f"{window} has {positives} matured pulls that were {evaluation.target}, "
        f"the gate needs {least}",
    )


def _baseline(name: str, evaluation: Evaluation, options: GateOptions, *, first: bool) -> Check:
    found = evaluation.differences.get(name, {}).get(FIGURE)
    if found is None or found.low is None:
        return Check(name=name, passed=False, reason=f"it could not be compared with {name}")
    ours, theirs = (evaluation.models[each].ranking[FIGURE].value for each in (OURS, name))
    lenient = first and name != LINES_ADDED
    passed = not _behind(found) if lenient else _ahead(found, options.margin)
    return Check(
        name=name,
        passed=passed,
        reason=_told(name, found, options.margin),
        figure=FIGURE,
        challenger=ours,
        opponent=theirs,
        difference=found,
    )


def _against(champion: Incumbent, evaluation: Evaluation, options: GateOptions) -> Iterator[Check]:
    name = f"champion (version {champion.version})"
    if champion.same_model:
        yield Check(name=name, passed=False, reason=f"the {name} is this very model")
    elif not champion.has_risk:
        yield Check(name=name, passed=True, reason=f"the {name} gives no risk")
    elif champion.comparison is None:
        yield Check(
            name=name, passed=False, reason=f"no comparison with the {name}: {champion.why}"
        )
    else:
        comparison = champion.comparison
        window = "the window that neither model saw"
        yield _enough(comparison.positives, evaluation, options, window)
        if FIGURE in comparison.difference:
            yield _compared(comparison, name, options)
            yield from (_guard(comparison, name, figure) for figure in _GUARDS)


def _compared(comparison: PairedComparison, name: str, options: GateOptions) -> Check:
    found = comparison.difference[FIGURE]
    return Check(
        name=name,
        passed=_ahead(found, options.margin),
        reason=_told(f"the {name}", found, options.margin),
        figure=FIGURE,
        challenger=comparison.first[FIGURE].value,
        opponent=comparison.second[FIGURE].value,
        difference=found,
    )


def _guard(comparison: PairedComparison, name: str, figure: str) -> Check:
    found, sign = comparison.difference[figure], _GUARDS[figure]
    worse = _behind(found) if sign > 0 else _ahead(found, 0.0)
    said = "worse than" if worse else "no worse than"
    return Check(
        name=f"{name}: {figure}",
        passed=not worse,
        reason=f"{figure} is {said} that of the {name}: {_shown(found)}",
        figure=figure,
        challenger=comparison.first[figure].value,
        opponent=comparison.second[figure].value,
        difference=found,
    )


def _ahead(found: Interval, margin: float) -> bool:
    return found.low is not None and found.low > -margin


def _behind(found: Interval) -> bool:
    return found.high is not None and found.high < 0


def _told(name: str, found: Interval, margin: float) -> str:
    if _ahead(found, 0.0):
        said = f"it beats {name}"
    elif _ahead(found, margin):
        said = f"it is within {margin:g} of {name}"
    elif _behind(found):
        said = f"{name} beats it"
    else:
        said = f"it cannot be told apart from {name}"
    return f"{said}: {FIGURE} {_shown(found)}"


def _shown(found: Interval) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "unknown"
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
