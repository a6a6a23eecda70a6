"""What people said of scores, beside what became of the pulls."""

from datetime import UTC, datetime

from pullrisk.pulls.feedback import Feedback, Kind, outcome_notes


def said(number: int, kind: Kind, login: str = "mara") -> Feedback:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return Feedback(repository="o/r", number=number, kind=kind, login=login, at=moment)


def test_each_kind_is_counted_by_pulls_and_by_outcomes_that_are_known() -> None:
    everything = [
        said(1, "missed"), said(1, "missed", "zoe"), said(2, "missed"), said(3, "missed"),
        said(1, "explain"), said(2, "noisy"),
    ]  # fmt: skip
    outcomes = {("o/r", 1): True, ("o/r", 2): False, ("o/other", 3): True}
    assert list(outcome_notes(everything, outcomes)) == [
        "people said 'missed' of 3 pulls: the outcome of 2 is known, 1 of them needed a fix or "
        "were reverted",
        "people said 'noisy' of 1 pulls: the outcome of 1 is known, 0 of them needed a fix or "
        "were reverted",
    ]


def test_nothing_said_is_no_note() -> None:
    assert list(outcome_notes([], {("o/r", 1): True})) == []
