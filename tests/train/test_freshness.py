from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from pullrisk.train.lineage import lineage
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.registry import Version, already_trained
from pullrisk.train.tracking import RunRecord, track
from pullrisk.train.training import TrainSettings
from support.tracking import fresh_tracking
from support.training import shared_training

SOURCE = {"lake": "s3://bucket/lake", "version": "7"}


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """A registry whose newest version was trained on version 7 of a lake."""
    place = fresh_tracking(tmp_path_factory.mktemp("home"))
    data, trained = shared_training()
    for version in ("6", "7"):
        tags = lineage(data, SOURCE | {"version": version})
        settings = msgspec.to_builtins(TrainSettings())
        track(place, trained.bundle, RunRecord(settings=settings, tags=tags))
    return place


def asked(
    tracking: Tracking, source: Mapping[str, str] = SOURCE, *, days: float | None = None
) -> Version | None:
    maturity = shared_training()[0].maturity / 86_400_000_000 if days is None else days
    return already_trained(tracking, source, maturity_days=maturity)


def test_the_same_version_of_the_lake_is_nothing_new(tracking: Tracking) -> None:
    found = asked(tracking)
    assert found is not None
    assert found.version == "2"


@pytest.mark.parametrize(
    "source",
    [SOURCE | {"version": "8"}, SOURCE | {"version": "6"}, SOURCE | {"lake": "s3://other/lake"}],
)
def test_another_version_or_lake_is_something_new(
    tracking: Tracking, source: Mapping[str, str]
) -> None:
    assert asked(tracking, source) is None


def test_other_labels_are_something_new(tracking: Tracking) -> None:
    assert asked(tracking, days=1.5) is None


def test_an_empty_registry_has_seen_nothing(tmp_path: Path) -> None:
    assert asked(fresh_tracking(tmp_path)) is None
