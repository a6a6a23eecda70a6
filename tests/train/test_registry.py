"""Versions, the champion and the trail of changes, on a real MLflow on SQLite."""

from pathlib import Path

import pytest

from pullrisk.train.mlflow_client import RegistryError, Tracking
from pullrisk.train.registry import (
    Version,
    artifact,
    champion,
    events,
    find,
    predecessor,
    set_champion,
    versions,
    with_digest,
)
from pullrisk.train.tracking import RunRecord, digest, track
from support.tracking import fresh_tracking
from support.training import shared_training

SECRET = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture
def empty(tmp_path: Path) -> Tracking:
    return fresh_tracking(tmp_path)


@pytest.fixture
def tracking(empty: Tracking) -> Tracking:
    """A registry of three versions of one model."""
    for number in range(3):
        record = RunRecord(settings={}, tags={"dataset_version": str(number)})
        track(empty, shared_training()[1].bundle, record)
    return empty


def crowned(tracking: Tracking, *numbers: str) -> None:
    for number in numbers:
        set_champion(tracking, find(tracking, number), by="ann", reason=f"for {number}")


def current(tracking: Tracking) -> Version:
    found = champion(tracking)
    assert found is not None
    return found


def test_an_empty_registry_has_no_versions_no_champion_and_no_trail(empty: Tracking) -> None:
    assert versions(empty) == []
    assert champion(empty) is None
    assert events(empty) == []
    with pytest.raises(RegistryError, match="has no model @champion"):
        find(empty, "@champion")
    with pytest.raises(RegistryError, match="there is no champion"):
        predecessor(empty)


def test_versions_come_newest_first_with_aliases_and_lineage(tracking: Tracking) -> None:
    found = versions(tracking)
    assert [version.version for version in found] == ["3", "2", "1"]
    assert [version.aliases for version in found] == [("challenger",), (), ()]
    assert [version.tags["dataset_version"] for version in found] == ["2", "1", "0"]
    assert found[0].tags["risk"] == "available"
    assert find(tracking, "@challenger") == found[0]


def test_a_model_is_found_by_its_digest(tracking: Tracking) -> None:
    found = with_digest(tracking, digest(shared_training()[1].bundle))
    assert found is not None
    assert found.version == "3"
    assert with_digest(tracking, "0" * 64) is None


def test_the_trail_says_who_replaced_whom_and_why(tracking: Tracking) -> None:
    crowned(tracking, "1", "3")
    latest, first = events(tracking)
    assert (first.version, first.replaced, first.by) == ("1", None, "ann")
    assert (latest.version, latest.replaced, latest.reason) == ("3", "1", "for 3")
    assert current(tracking).version == "3"


def test_going_back_follows_the_promotions_and_not_the_rollbacks(tracking: Tracking) -> None:
    crowned(tracking, "1", "2", "3")
    for expected in ("2", "1"):
        set_champion(tracking, predecessor(tracking), by="bob", reason="worse", action="rollback")
        assert current(tracking).version == expected
    with pytest.raises(RegistryError, match="version 1 replaced no earlier champion"):
        predecessor(tracking)
    assert [event.action for event in events(tracking)] == ["rollback"] * 2 + ["promote"] * 3


def test_a_version_that_was_rolled_back_is_marked_until_it_is_promoted_again(
    tracking: Tracking,
) -> None:
    crowned(tracking, "1", "2")
    set_champion(tracking, find(tracking, "1"), by="bob", reason="it was worse", action="rollback")
    assert find(tracking, "2").tags["rolled_back"] == "it was worse"
    crowned(tracking, "2")
    assert "rolled_back" not in find(tracking, "2").tags


def test_a_secret_in_a_reason_is_masked_before_it_is_written(tracking: Tracking) -> None:
    set_champion(tracking, find(tracking, "1"), by="ann", reason=f"token {SECRET}")
    assert SECRET not in events(tracking)[0].reason


def test_a_run_s_file_is_read_back_and_a_missing_one_is_none(
    tracking: Tracking, tmp_path: Path
) -> None:
    record = RunRecord(settings={}, tags={}, predictions=b"answers")
    tracked = track(tracking, shared_training()[1].bundle, record)
    assert artifact(tracking, tracked.run_id, "predictions.parquet", tmp_path) == b"answers"
    assert artifact(tracking, tracked.run_id, "gate.json", tmp_path) is None
