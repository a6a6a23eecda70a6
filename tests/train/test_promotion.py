"""The gate at work, on a real MLflow on SQLite and models that were really trained."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import GENERAL
from pullrisk.options import GateOptions
from pullrisk.progress import Silent
from pullrisk.train.comparison import record_predictions
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.fit import FitSettings
from pullrisk.train.gate import Decision
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.promotion import judge, promote
from pullrisk.train.registry import Version, artifact, champion, events, find, set_champion
from pullrisk.train.table_columns import NEVER
from pullrisk.train.tracking import RunRecord, track
from pullrisk.train.training import TrainSettings, train
from support.tracking import fresh_tracking
from support.training import QUICK, learnable_table

LENIENT = GateOptions(margin=0.1)
"""Boosting is as good on the made data: nothing can be ahead of it."""


@cache
def data() -> Dataset:
    return Dataset.from_table(learnable_table(), NAMES)


def trained(dataset: Dataset, schema: str = SCHEMA_HASH) -> Bundle:
    settings = TrainSettings(fit=FitSettings(shape=QUICK.shape, epochs=12, batch=64))
    return train(dataset, FEATURES, settings, schema_hash=schema, progress=Silent()).bundle


@cache
def good() -> Bundle:
    return trained(data())


@cache
def misled() -> Bundle:
    """Learnt from outcomes dealt out at random: it ranks like a coin."""
    order = np.random.default_rng(5).permutation(len(data()))
    moments = np.where(data().reverted[order], data().merged_at + 1, data().reverted_at.max())
    return trained(replace(data(), reverted_at=moments, undone_at=moments))


@cache
def evaluation(which: str) -> Evaluation:
    bundle = good() if which == "good" else misled()
    return evaluate(bundle, data(), options=Options(resamples=60), progress=Silent())


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    return fresh_tracking(tmp_path)


def registered(tracking: Tracking, bundle: Bundle, *, recorded: bool = False) -> Version:
    answers = record_predictions(bundle, data()) if recorded else None
    record = RunRecord(settings={}, tags={}, predictions=answers)
    return find(tracking, track(tracking, bundle, record).version)


def ask(
    tracking: Tracking, version: Version, which: str = "good", options: GateOptions = LENIENT
) -> Decision:
    bundle = good() if which == "good" else misled()
    decision = judge(
        tracking, version, bundle,
        dataset=data(), evaluation=evaluation(which), options=options,
    )  # fmt: skip
    promote(tracking, version, decision, by="ann")
    return decision


def test_the_first_model_that_beats_counting_lines_becomes_champion(tracking: Tracking) -> None:
    version = registered(tracking, good())
    assert ask(tracking, version, options=GateOptions()).promote
    now = champion(tracking)
    assert now is not None
    assert now.version == version.version
    assert now.tags["gate"] == "passed"
    (event,) = events(tracking)
    assert (event.by, event.replaced) == ("ann", None)
    assert event.reason.startswith("gate passed: ")


def test_a_first_model_that_ranks_like_a_coin_does_not(tracking: Tracking) -> None:
    version = registered(tracking, misled())
    assert not ask(tracking, version, "misled").promote
    assert champion(tracking) is None
    assert find(tracking, version.version).tags["gate"] == "blocked"


def test_a_better_challenger_takes_over_and_a_worse_one_does_not(tracking: Tracking) -> None:
    old = registered(tracking, misled())
    set_champion(tracking, old, by="ann", reason="there was nothing else")
    better = ask(tracking, registered(tracking, good()))
    assert better.promote
    assert better.comparison is not None
    low = better.comparison.difference["within_auc_weighted"].low
    assert low is not None
    assert low > 0
    worse = ask(tracking, registered(tracking, misled()), "misled")
    assert not worse.promote
    assert any("the champion (version 2) beats it" in reason for reason in worse.reasons)
    now = champion(tracking)
    assert now is not None
    assert now.version == "2"
    assert events(tracking)[0].replaced == old.version


def test_the_decision_its_numbers_and_its_reasons_are_logged(
    tracking: Tracking, tmp_path: Path
) -> None:
    set_champion(tracking, registered(tracking, misled()), by="ann", reason="first")
    version = registered(tracking, good())
    decision = ask(tracking, version)
    logged = artifact(tracking, version.run_id, "gate.json", tmp_path)
    assert logged is not None
    read = json.loads(logged)
    assert read["promote"] is True
    assert read["options"] == {"margin": 0.1, "least_positives": 20}
    assert [check["name"] for check in read["checks"]] == [one.name for one in decision.checks]
    assert read["contest"]["pulls"] == decision.comparison.pulls  # type: ignore[union-attr]
    assert find(tracking, version.version).tags["gate_reasons"] == "; ".join(decision.reasons)


def test_the_same_model_registered_again_changes_nothing(tracking: Tracking) -> None:
    ask(tracking, registered(tracking, good()))
    again = ask(tracking, registered(tracking, good()))
    assert not again.promote
    assert "this very model" in again.reasons[0]


def test_a_champion_of_another_feature_schema_is_met_by_what_it_said(tracking: Tracking) -> None:
    order = trained(replace(data(), x=data().x.copy()), schema="of-last-year")
    set_champion(tracking, registered(tracking, order, recorded=True), by="ann", reason="first")
    found = ask(tracking, registered(tracking, misled()), "misled")
    assert not found.promote
    assert found.comparison is not None
    assert found.comparison.pulls == evaluation("misled").pulls


def test_without_what_it_said_such_a_champion_blocks_and_the_reason_names_the_schemas(
    tracking: Tracking,
) -> None:
    set_champion(
        tracking, registered(tracking, trained(data(), "of-last-year")), by="a", reason="first"
    )
    found = ask(tracking, registered(tracking, good()))
    assert not found.promote
    (reason,) = [reason for reason in found.reasons if "no comparison" in reason]
    assert "of-last-year" in reason
    assert SCHEMA_HASH in reason


def test_a_champion_whose_file_is_damaged_is_met_by_what_it_said(
    tracking: Tracking, tmp_path: Path
) -> None:
    set_champion(tracking, registered(tracking, misled(), recorded=True), by="ann", reason="first")
    for path in onnx_files(tmp_path):
        path.write_bytes(path.read_bytes()[:1000])
    found = ask(tracking, registered(tracking, good()))
    assert found.promote
    assert found.comparison is not None
    assert found.comparison.pulls == evaluation("good").pulls


def test_in_place_of_a_champion_without_risk_the_general_model_is_met(tracking: Tracking) -> None:
    never = np.full(len(data()), NEVER)
    calm = replace(data(), reverted_at=never, undone_at=never)
    novelty_only = trained(calm)
    assert not novelty_only.metadata.risk_available
    set_champion(tracking, registered(tracking, novelty_only), by="ann", reason="first")
    assert ask(tracking, registered(tracking, good())).champion == GENERAL


def test_a_version_that_was_rolled_back_is_kept_out_until_somebody_forces_it(
    tracking: Tracking,
) -> None:
    first = registered(tracking, misled())
    set_champion(tracking, first, by="ann", reason="first")
    version = registered(tracking, good())
    ask(tracking, version)
    set_champion(tracking, first, by="bob", reason="it missed migrations", action="rollback")
    found = ask(tracking, find(tracking, version.version))
    assert not found.promote
    assert found.reasons == ("it was rolled back: it missed migrations",)
    set_champion(tracking, version, by="bob", reason="forced: it was the data")
    assert "rolled_back" not in find(tracking, version.version).tags


def onnx_files(folder: Path) -> Iterator[Path]:
    found = list(folder.rglob("*.onnx"))
    assert found
    yield from found


def test_the_evaluation_survives_its_json() -> None:
    """What the gate reads may come from a file."""
    text = msgspec.json.encode(evaluation("good"))
    assert msgspec.json.decode(text, type=Evaluation) == evaluation("good")
