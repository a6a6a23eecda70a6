"""A trained model looked at over its own test window, as it is and disturbed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from pullrisk.errors import NotEnoughDataError
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import Metadata
from pullrisk.monitor.findings import Findings
from pullrisk.monitor.run import Pulls, monitor
from pullrisk.options import MonitorOptions
from pullrisk.progress import Silent
from pullrisk.train.dataset import Dataset
from support.training import shared_training


def pulls(dataset: Dataset) -> Pulls:
    return Pulls(
        dataset.repositories, dataset.x, dataset.repository, dataset.merged_at, dataset.labels()
    )


def look(
    found: Pulls, *, bundle: Bundle | None = None, days: float = 1, **options: float
) -> Findings:
    """At `found`, so many days after the latest merge."""
    now = datetime.fromtimestamp(found.merged_at.max() / 1e6, UTC) + timedelta(days=days)
    return monitor(
        bundle or shared_training()[1].bundle,
        found,
        now=now,
        options=MonitorOptions.model_validate({"calibration_ratio": 2.0, **options}),
        progress=Silent(),
    )


def kinds(found: Findings) -> set[str]:
    return {alarm.kind for alarm in found.alarms}


def disturbed(**columns: float) -> Pulls:
    """The dataset with some features of the last 90 days multiplied."""
    dataset = shared_training()[0]
    late = dataset.merged_at > dataset.merged_at.max() - 90 * 86_400_000_000
    x = dataset.x.copy()
    for name, factor in columns.items():
        x[late, dataset.names.index(name)] *= factor
    return replace(pulls(dataset), x=x)


def test_a_model_looked_at_over_what_followed_its_training_gives_no_alarm() -> None:
    found = look(pulls(shared_training()[0]))
    assert found.alarms == []
    assert [one.pulls > 100 for one in found.drift] == [True, True]
    assert found.recent_outcomes is not None
    assert found.recent_outcomes.positives > 10


def test_larger_pulls_than_ever_are_an_alarm_that_names_the_feature() -> None:
    found = look(disturbed(additions=8.0))
    assert "features" in kinds(found)
    alarm = next(alarm for alarm in found.alarms if alarm.kind == "features")
    assert "additions" in alarm.text
    assert "scores" in kinds(found)


def test_outcomes_that_come_far_more_often_than_predicted_are_an_alarm() -> None:
    own = pulls(shared_training()[0])
    labels = own.labels.copy()
    known = np.flatnonzero(labels >= 0)
    labels[known[::3]] = 1
    found = look(replace(own, labels=labels))
    assert "calibration" in kinds(found)


def test_a_risk_that_ranks_backwards_is_an_alarm() -> None:
    dataset, trained = shared_training()
    risk = trained.bundle.raw(dataset.x)[0]
    labels = np.where(dataset.labels() >= 0, risk < np.quantile(risk, 0.1), -1).astype(np.int8)
    found = look(replace(pulls(dataset), labels=labels))
    assert "ranking" in kinds(found)


@pytest.mark.parametrize(("days", "alarm"), [(6, False), (8, True)])
def test_data_that_stopped_coming_are_an_alarm(days: float, alarm: bool) -> None:
    found = look(pulls(shared_training()[0]), days=days)
    assert ("data age" in kinds(found)) == alarm
    assert found.freshness.data_age_days == pytest.approx(days)


def test_the_training_may_have_a_greatest_age() -> None:
    assert "model age" in kinds(look(pulls(shared_training()[0]), model_age_days=30))


def test_too_few_recent_pulls_are_told_and_not_judged() -> None:
    found = look(pulls(shared_training()[0]), least_pulls=5000)
    assert found.drift == []
    assert any("owner/0, owner/1" in note for note in found.notes)


def test_a_model_of_an_earlier_version_has_its_outcomes_judged_and_says_what_is_missing() -> None:
    bundle = shared_training()[1].bundle
    older: Metadata = msgspec.structs.replace(bundle.metadata, reference=None)
    found = look(pulls(shared_training()[0]), bundle=bundle.with_metadata(older))
    assert found.drift == []
    assert found.recent_outcomes is not None
    assert any("train it again" in note for note in found.notes)


def test_a_model_without_a_risk_is_judged_by_drift_alone() -> None:
    bundle = shared_training()[1].bundle
    without = msgspec.structs.replace(
        bundle.metadata, repair_available=False, revert_available=False
    )
    found = look(pulls(shared_training()[0]), bundle=bundle.with_metadata(without))
    assert found.drift
    assert found.recent_outcomes is None
    assert any("risk is not judged" in note for note in found.notes)


def test_no_pulls_at_all_is_an_error() -> None:
    own = pulls(shared_training()[0])
    nothing = replace(own, x=own.x[:0], codes=own.codes[:0], merged_at=own.merged_at[:0])
    with pytest.raises(NotEnoughDataError, match="no pulls to monitor"):
        monitor(shared_training()[1].bundle, nothing, now=datetime.now(UTC), progress=Silent())
