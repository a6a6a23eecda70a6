"""The gate: whether a challenger has earned the champion's place, with numbers and reasons.

Risk decides, by the AUC within repositories (weighted by positives), because that is what a
team sees: which of its own pulls stand out. Reverts, few beside the pulls that
needed a fix, must not be told worse. Each opponent is met on pulls that the challenger never saw,
with the same bootstrap resamples for both. The first champion is the general model,
which comes with the package: a model of one's own takes over only if it is ahead of that.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from pullrisk.model.general import GENERAL
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
    """What the gate says; `promote` only where every check passed.

    `champion` is a version, or `general` where none of one's own is champion yet.
    """

    promote: bool
    challenger: str
    champion: str
    checks: tuple[Check, ...]
    comparison: PairedComparison | None = msgspec.field(default=None, name="contest")

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands in the way, or what was beaten."""
        return tuple(check.reason for check in self.checks if check.passed == self.promote)


class Incumbent(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the challenger meets: the champion of the registry, or the general model (GENERAL).

    Without a `comparison`, `why` says why there could be none. `reverts` compares the two answers
    on reverts alone, if the comparison is on more than that.
    """

    version: str
    comparison: PairedComparison | None = msgspec.field(default=None, name="contest")
    reverts: PairedComparison | None = None
    same_model: bool = False
    why: str = ""

    @property
    def is_general(self) -> bool:
        """Whether it is the general model: no version of one's own is champion yet."""
        return self.version == GENERAL

    @property
    def name(self) -> str:
        """What people call it."""
        return "general model" if self.is_general else f"champion (version {self.version})"


def decide(
    challenger: str,
    evaluation: Evaluation,
    champion: Incumbent,
    *,
    options: GateOptions,
    rolled_back: str | None = None,
) -> Decision:
    """Judge a challenger by its own evaluation and its comparison with the champion.

    It has to beat lines added, logistic regression, gradient boosting and the champion: the
    paired 95 % interval lies above `-margin`. Where the general model is champion, the two
    learned baselines must not be ahead of it. `rolled_back` is the reason why it was once taken
    back.
    """
    checks = list(_checks(evaluation, champion, options, rolled_back))
    return Decision(
        promote=all(check.passed for check in checks),
        challenger=challenger,
        champion=champion.version,
        checks=tuple(checks),
        comparison=champion.comparison,
    )


def _checks(
    evaluation: Evaluation, champion: Incumbent, options: GateOptions, rolled_back: str | None
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
            yield _baseline(name, evaluation, options, first=champion.is_general)
    yield from _against(champion, evaluation, options)


def _enough(positives: int, evaluation: Evaluation, options: GateOptions, window: str) -> Check:
    least = options.least_positives
    return Check(
        name=f"outcomes in {window}",
        passed=positives >= least,
        reason=f"{window} has {positives} matured pulls that were {evaluation.outcome}, "
        f"the gate needs {least}",
    )


def _baseline(name: str, evaluation: Evaluation, options: GateOptions, *, first: bool) -> Check:
    difference = evaluation.differences.get(name, {}).get(FIGURE)
    if difference is None or difference.low is None:
        return Check(name=name, passed=False, reason=f"it could not be compared with {name}")
    ours, theirs = (evaluation.models[each].ranking[FIGURE].value for each in (OURS, name))
    lenient = first and name != LINES_ADDED
    passed = not _behind(difference) if lenient else _ahead(difference, options.margin)
    return Check(
        name=name,
        passed=passed,
        reason=_verdict(name, difference, options.margin),
        figure=FIGURE,
        challenger=ours,
        opponent=theirs,
        difference=difference,
    )


def _against(champion: Incumbent, evaluation: Evaluation, options: GateOptions) -> Iterator[Check]:
    name, comparison = champion.name, champion.comparison
    if champion.same_model:
        yield Check(name=name, passed=False, reason=f"the {name} is this very model")
    elif comparison is None:
        reason = f"no comparison with the {name}: {champion.why}"
        yield Check(name=name, passed=False, reason=reason)
    elif champion.is_general and comparison.positives < options.least_positives:
        yield _unmet(comparison, evaluation, name)
    else:
        window = "the window that neither model saw"
        yield _enough(comparison.positives, evaluation, options, window)
        if FIGURE in comparison.difference:
            yield _compared(comparison, name, options)
            yield from (_guard(comparison, name, figure) for figure in _GUARDS)
            yield from _on_reverts(champion)


def _unmet(comparison: PairedComparison, evaluation: Evaluation, name: str) -> Check:
    """The general model may have learnt from a well-known repository, outcomes of the test window
    included. There it cannot be met fairly, and the challenger is judged by the baselines alone.
    """
    return Check(
        name=name,
        passed=True,
        reason=f"the {name} cannot be met fairly: it learnt from all but {comparison.positives} of "
        f"the {evaluation.positives} pulls of the test window that were {evaluation.outcome}",
    )


def _compared(comparison: PairedComparison, name: str, options: GateOptions) -> Check:
    difference = comparison.difference[FIGURE]
    return Check(
        name=name,
        passed=_ahead(difference, options.margin),
        reason=_verdict(f"the {name}", difference, options.margin),
        figure=FIGURE,
        challenger=comparison.first[FIGURE].value,
        opponent=comparison.second[FIGURE].value,
        difference=difference,
    )


def _on_reverts(champion: Incumbent) -> Iterator[Check]:
    """Repairs are many and decide; the few reverts must not be told worse than before."""
    reverts = champion.reverts
    if reverts is not None and FIGURE in reverts.difference:
        yield _guard(reverts, champion.name, FIGURE, of=" of reverts")


def _guard(comparison: PairedComparison, name: str, figure: str, *, of: str = "") -> Check:
    difference, sign = comparison.difference[figure], _GUARDS.get(figure, 1)
    worse = _behind(difference) if sign > 0 else _ahead(difference, 0.0)
    verdict = "worse than" if worse else "no worse than"
    return Check(
        name=f"{name}: {figure}{of}",
        passed=not worse,
        reason=f"{figure}{of} is {verdict} that of the {name}: {_shown(difference)}",
        figure=figure,
        challenger=comparison.first[figure].value,
        opponent=comparison.second[figure].value,
        difference=difference,
    )


def _ahead(difference: Interval, margin: float) -> bool:
    return difference.low is not None and difference.low > -margin


def _behind(difference: Interval) -> bool:
    return difference.high is not None and difference.high < 0


def _verdict(name: str, difference: Interval, margin: float) -> str:
    if _ahead(difference, 0.0):
        verdict = f"it beats {name}"
    elif _ahead(difference, margin):
        verdict = f"it is within {margin:g} of {name}"
    elif _behind(difference):
        verdict = f"{name} beats it"
    else:
        verdict = f"it cannot be told apart from {name}"
    return f"{verdict}: {FIGURE} {_shown(difference)}"


def _shown(difference: Interval) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return "unknown"
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
