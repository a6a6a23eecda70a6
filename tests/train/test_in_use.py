"""What a home scores with after a training: never something worse than before."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from pullrisk.features import NAMES
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import general_bundle, is_general
from pullrisk.options import GateOptions
from pullrisk.progress import Silent
from pullrisk.train.baselines import learners
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Peers
from pullrisk.train.in_use import best_before, measured_general, with_windows
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.pipeline import MODEL_FILE, TrainResult, judge_on, train_model, use_untrained
from pullrisk.train.registry import find, set_champion
from pullrisk.train.tracking import RunRecord, track
from pullrisk.train.training import TrainSettings
from support.tracking import fresh_tracking
from support.training import QUICK, full_table

SETTINGS = TrainSettings(fit=QUICK)


@cache
def data() -> Dataset:
    return Dataset.from_table(full_table(), NAMES)


@cache
def measured() -> Bundle:
    return measured_general(data())


def trained(home: Path, **gate: int) -> TrainResult:
    return train_model(
        full_table(), home=home, settings=SETTINGS, tracking=fresh_tracking(home),
        gate=GateOptions.model_validate(gate), progress=Silent(),
    )  # fmt: skip


def test_a_model_that_is_kept_out_leaves_the_general_one_in_use(tmp_path: Path) -> None:
    result = trained(tmp_path, least_positives=100_000)
    assert result.decision is not None
    assert not result.decision.promote
    assert result.decision.champion == "general"
    assert not result.uses_trained
    in_use = Bundle.load(tmp_path / MODEL_FILE)
    assert is_general(in_use)
    assert in_use.data == result.in_use.data
    assert in_use.metadata.facts.measured_on == data().repositories


def test_it_answers_as_the_general_model_does(tmp_path: Path) -> None:
    rows = data().x[:50]
    assert np.array_equal(measured().raw(rows)[0], general_bundle().raw(rows)[0])


def test_its_novelty_is_relative_to_the_repository() -> None:
    name = data().repositories[0]
    own = data().x[data().repository == 0]
    assert 40 < np.median(measured().score(own, name).novelty) < 60


def test_a_few_pulls_are_not_all_wholly_novel() -> None:
    few = data().take(np.flatnonzero(data().repository == 0)[:60])
    novelty = measured_general(few).score(few.x, few.repositories[0]).novelty
    assert 40 < np.median(novelty) < 60
    assert len(np.unique(novelty.round())) > 20


def test_it_is_judged_where_a_model_of_ones_own_would_be() -> None:
    facts = with_windows(measured(), data())[0].metadata.facts
    assert set(facts.trained_until) == set(data().repositories)
    found = judge_on(data(), measured(), progress=Silent())
    assert 0 < found.pulls < len(data())
    assert "gradient boosting" in found.models


def test_the_notes_say_of_which_repositories_it_knew_the_outcomes() -> None:
    famous = next(iter(general_bundle().metadata.facts.trained_until))
    renamed = Dataset.from_table(_renamed(famous), NAMES)
    found = judge_on(renamed, measured_general(renamed), progress=Silent())
    assert any(famous in note and "flatter" in note for note in found.notes)


def _renamed(name: str) -> pa.Table:
    """The table with the pulls of both repositories in one of this name."""
    table = full_table()
    place = table.schema.get_field_index("repository")
    column = pa.array([name] * table.num_rows, table.schema.field(place).type)
    renamed = table.set_column(place, "repository", column)
    number = table.schema.get_field_index("number")
    return renamed.set_column(number, "number", pa.array(range(1, table.num_rows + 1)))


def test_too_few_pulls_leave_the_general_model_in_use(tmp_path: Path) -> None:
    tracking = Tracking.local(tmp_path)
    bundle = use_untrained(full_table(pulls=20), home=tmp_path, tracking=tracking, days=90)
    assert is_general(bundle)
    assert (tmp_path / MODEL_FILE).read_bytes() == bundle.data
    assert tracking.is_absent, "asking made a registry"


@pytest.mark.parametrize("present", ["the champion's file", "another file"])
def test_a_champion_stays_in_use(tmp_path: Path, present: str) -> None:
    tracking = fresh_tracking(tmp_path)
    own = _own()
    version = track(tracking, own, RunRecord(settings={}, tags={})).version
    set_champion(tracking, find(tracking, version), by="ann", reason="x")
    path = tmp_path / MODEL_FILE
    path.write_bytes(own.data if present == "the champion's file" else measured().data)
    assert best_before(tracking, data(), path).data == own.data


def test_what_is_usual_in_a_repository_that_the_champion_does_not_know_is_measured(
    tmp_path: Path,
) -> None:
    tracking = fresh_tracking(tmp_path)
    version = track(tracking, _own(), RunRecord(settings={}, tags={})).version
    set_champion(tracking, find(tracking, version), by="ann", reason="x")
    new = Dataset.from_table(_renamed("acme/new"), NAMES)
    bundle = best_before(tracking, new, tmp_path / MODEL_FILE)
    assert not is_general(bundle)
    assert Bundle.of(bundle.data).metadata.novelty.by_repository.keys() >= {"acme/new"}
    assert "acme/new" not in bundle.metadata.facts.trained_until
    assert np.array_equal(bundle.raw(new.x[:9])[0], _own().raw(new.x[:9])[0])


@cache
def _own() -> Bundle:
    from pullrisk.features import FEATURES, SCHEMA_HASH
    from pullrisk.train.training import train

    return train(data(), FEATURES, SETTINGS, schema_hash=SCHEMA_HASH, progress=Silent()).bundle


def test_models_judged_on_the_same_windows_meet_the_same_peers_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []

    def learning(*past: Any, **options: Any) -> Any:
        made.append(past)
        return learners(*past, **options)

    monkeypatch.setattr("pullrisk.train.evaluate.learners", learning)
    peers = Peers()
    judge_on(data(), measured(), peers=peers, progress=Silent())
    once = len(made)
    assert once > 0
    found = judge_on(data(), _own(), peers=peers, progress=Silent())
    assert len(made) == once
    alone = judge_on(data(), _own(), progress=Silent())
    assert len(made) > once
    assert msgspec.json.encode(found) == msgspec.json.encode(alone)
