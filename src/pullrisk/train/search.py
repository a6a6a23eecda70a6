"""A search of the settings as part of the stage: on the lake's table, logged beside its run."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pullrisk.features import FEATURES, NAMES
from pullrisk.progress import Progress
from pullrisk.train.dataset import Dataset
from pullrisk.train.mlflow_client import Tracking, connected
from pullrisk.train.training import TrainSettings
from pullrisk.train.tune import FILE, Trial, Tuned, tune

if TYPE_CHECKING:
    import pyarrow as pa

_PARENT: Final = "mlflow.parentRunId"
_NAME: Final = "mlflow.runName"


@dataclass(frozen=True, slots=True)
class Search:
    """A finished search and the settings to train with."""

    tuned: Tuned
    settings: TrainSettings


def search(
    table: "pa.Table", settings: TrainSettings, *, trials: int, home: Path, progress: Progress
) -> Search:
    """Search on the lake's feature table; the study lies in the home folder. Raises as `tune`."""
    dataset = Dataset.from_table(table, NAMES, maturity_days=settings.maturity_days)
    tuned = tune(dataset, FEATURES, settings, trials=trials, storage=home / FILE, progress=progress)
    found = msgspec.structs.replace(settings, fit=tuned.fit, tuned_trials=len(tuned.trials))
    return Search(tuned, found)


def log_trials(tracking: Tracking, run_id: str, tuned: Tuned) -> None:
    """Log every trial as a run nested in `run_id`. Raises RegistryError where MLflow refuses."""
    with connected(tracking) as (_, client):
        parent = client.get_run(run_id).info.experiment_id
        for trial in tuned.trials:
            _log(client, parent, run_id, trial, best=trial.number == tuned.best.number)


def _log(client: Any, experiment: str, run_id: str, trial: Trial, *, best: bool) -> None:  # noqa: ANN401
    from mlflow.entities import Metric, Param

    tags = {_PARENT: run_id, _NAME: f"trial {trial.number}", "best": str(best).lower()}
    started = _milliseconds(trial.started_at)
    run = client.create_run(experiment, start_time=started, tags=tags)
    parameters = [Param(name, str(value)) for name, value in trial.parameters.items()]
    metrics = [Metric("epochs", trial.epochs, started or 0, 0)]
    if trial.value is not None:
        metrics.append(Metric("validation_auc_mean", trial.value, started or 0, 0))
    client.log_batch(run.info.run_id, metrics=metrics, params=parameters)
    client.set_terminated(
        run.info.run_id,
        status="KILLED" if trial.value is None else "FINISHED",
        end_time=_milliseconds(trial.ended_at),
    )


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
