"""A search as part of the stage, its trials in a real MLflow database."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from pullrisk.progress import Silent
from pullrisk.train.mlflow_client import Tracking, connected
from pullrisk.train.search import Search, log_trials, search
from pullrisk.train.tracking import experiment
from pullrisk.train.training import TrainSettings
from pullrisk.train.tune import FILE, Trial
from support.training import QUICK, full_table

SETTINGS = TrainSettings(fit=msgspec.structs.replace(QUICK, epochs=2))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def found(home: Path) -> Search:
    table = full_table(pulls=600)
    return search(table, SETTINGS, trials=3, home=home, progress=Silent())


def test_the_settings_to_train_with_are_the_best_and_say_how_many_were_tried(
    found: Search, home: Path
) -> None:
    assert found.settings.fit == found.tuned.fit
    assert found.settings.tuned_trials == 3
    assert msgspec.structs.replace(found.settings, fit=SETTINGS.fit, tuned_trials=0) == SETTINGS
    assert (home / FILE).exists()


def test_every_trial_is_a_run_inside_the_training_s_run(found: Search, home: Path) -> None:
    tracking = Tracking.local(home)
    given_up = Trial(
        number=9, parameters={"batch": 256.0}, value=None, epochs=1, started_at=None, ended_at=None
    )
    with connected(tracking) as (_, client):
        parent = client.create_run(experiment(client, tracking))
    log_trials(
        tracking, parent.info.run_id, replace(found.tuned, trials=(*found.tuned.trials, given_up))
    )
    with connected(tracking) as (_, client):
        runs = client.search_runs(
            [parent.info.experiment_id],
            f"tags.mlflow.parentRunId = '{parent.info.run_id}'",
        )
    by_name = {run.info.run_name: run for run in runs}
    assert set(by_name) == {"trial 0", "trial 1", "trial 2", "trial 9"}
    best = by_name[f"trial {found.tuned.best.number}"]
    assert best.data.tags["best"] == "true"
    assert best.data.metrics["validation_auc_mean"] == found.tuned.best.value
    assert best.data.params["batch"] == str(found.tuned.best.parameters["batch"])
    assert by_name["trial 9"].info.status == "KILLED"
    assert "validation_auc_mean" not in by_name["trial 9"].data.metrics
