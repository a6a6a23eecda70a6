"""The stage itself: from the lake's table to a tracked model and a file to score with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk.features import FEATURES, NAMES, SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.options import GateOptions
from pullrisk.progress import Progress
from pullrisk.train.comparison import record_predictions
from pullrisk.train.dataset import Dataset, oddities, read_dataset
from pullrisk.train.evaluate import Options, Peers, evaluate
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.gate import Decision
from pullrisk.train.in_use import best_before, with_windows
from pullrisk.train.injections import Read, inject
from pullrisk.train.lineage import lineage
from pullrisk.train.mlflow_client import RegistryError, Tracking
from pullrisk.train.pending import save_pending, write
from pullrisk.train.promotion import judge, promote
from pullrisk.train.registry import find
from pullrisk.train.tracking import RunRecord, Tracked, track
from pullrisk.train.training import Trained, TrainSettings, train
from pullrisk.train.warm_start import WarmStart

if TYPE_CHECKING:
    import pyarrow as pa

MODEL_FILE: Final = "model.onnx"
BY: Final = "pullrisk train"
"""Who promotes a model that passed the gate right after its training."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished training: the trained model, how good it is, where it is registered.

    `decision` is the gate's, None if it was not asked. `in_use` is what the home scores with
    from now on, the file `model`: the trained one, unless the gate kept that out. `peers` are
    what the trained one was judged beside.
    """

    model: Path
    trained: Trained
    evaluation: Evaluation
    tracked: Tracked
    decision: Decision | None
    in_use: Bundle
    peers: Peers

    @property
    def uses_trained(self) -> bool:
        """Whether the home scores with the model that was trained."""
        return self.in_use.data == self.trained.bundle.data


def train_model(  # noqa: PLR0913  (one keyword per collaborator)
    table: "pa.Table",
    *,
    home: Path,
    settings: TrainSettings | None = None,
    tracking: Tracking | None = None,
    read: Read | None = None,
    source: Mapping[str, str] | None = None,
    gate: GateOptions | None = None,
    start: WarmStart | None = None,
    progress: Progress,
) -> TrainResult:
    """Train on the lake's feature table, judge, log to MLflow, and write `<home>/model.onnx`:
    the trained model, or where the gate keeps that out, the best there was before.

    `read` gives a repository's pulls in event order (`PullStore.events`), to judge novelty by
    injected anomalies; without it novelty is not judged. `source` (such as the Delta version
    under `version`, and the run) is logged as it is; `start` is what to fine-tune. The new
    version is `challenger`; with `gate`, it becomes `champion` if it earned that. The model file
    is replaced at once, so a run that is killed leaves the earlier one. Raises
    NotEnoughDataError for too little data, ModelError where the disk refuses or if MLflow
    does, which keeps the model for later.
    """
    settings, tracking = settings or TrainSettings(), tracking or Tracking.local(home)
    source = dict(source or {})
    dataset = read_dataset(table, NAMES, maturity_days=settings.maturity_days)
    trained = train(
        dataset,
        FEATURES,
        settings,
        schema_hash=SCHEMA_HASH,
        dataset_version=source.get("version"),
        start=start,
        progress=progress,
    )
    trained = replace(trained, notes=(*trained.notes, *oddities(dataset)))
    peers = Peers()
    evaluation = _evaluate(trained.bundle, dataset, read, Options(), peers, progress=progress)
    record = RunRecord(
        settings=msgspec.to_builtins(settings),
        tags=lineage(dataset, source),
        epochs=trained.epochs,
        evaluation=evaluation,
        predictions=record_predictions(trained.bundle, dataset),
    )
    tracked = _track(tracking, trained.bundle, record, home)
    result = TrainResult(
        home / MODEL_FILE, trained, evaluation, tracked, None, trained.bundle, peers
    )
    if gate is not None:
        result = _gated(result, tracking, dataset, gate)
    write(result.model, result.in_use.data)
    return result


def _track(tracking: Tracking, bundle: Bundle, record: RunRecord, home: Path) -> Tracked:
    try:
        return track(tracking, bundle, record)
    except RegistryError as error:
        pending = save_pending(home, bundle, record, error)
        write(home / MODEL_FILE, bundle.data)
        raise pending from error


def _gated(
    result: TrainResult, tracking: Tracking, dataset: Dataset, gate: GateOptions
) -> TrainResult:
    """The result with the gate's decision, what it puts to use, and the aliases after it."""
    bundle, evaluation = result.trained.bundle, result.evaluation
    version = find(tracking, result.tracked.version)
    decision = judge(
        tracking, version, bundle, dataset=dataset, evaluation=evaluation, options=gate
    )
    promoted = promote(tracking, version, decision, by=BY)
    in_use = bundle if promoted else best_before(tracking, dataset, result.model)
    tracked = replace(result.tracked, aliases=find(tracking, version.version).aliases)
    return replace(result, tracked=tracked, decision=decision, in_use=in_use)


def use_untrained(table: "pa.Table", *, home: Path, tracking: Tracking, days: float) -> Bundle:
    """Write `<home>/model.onnx` where there is too little to train on: the champion, else the
    general model, measured on the lake's feature table. `days` is the maturity window.
    """
    dataset = read_dataset(table, NAMES, maturity_days=days)
    bundle = best_before(tracking, dataset, home / MODEL_FILE)
    write(home / MODEL_FILE, bundle.data)
    return bundle


def evaluate_bundle(
    bundle: Bundle,
    table: "pa.Table",
    *,
    read: Read | None = None,
    options: Options | None = None,
    peers: Peers | None = None,
    progress: Progress,
) -> Evaluation:
    """Judge a model on the pulls of the lake's table that are later than its training."""
    days = bundle.metadata.facts.maturity_days
    dataset = read_dataset(table, NAMES, maturity_days=days)
    return judge_on(dataset, bundle, read=read, options=options, peers=peers, progress=progress)


def judge_on(
    dataset: Dataset,
    bundle: Bundle,
    *,
    read: Read | None = None,
    options: Options | None = None,
    peers: Peers | None = None,
    progress: Progress,
) -> Evaluation:
    """Judge a model on the pulls of a dataset that are later than its training.

    The general model that a home uses is judged where a model of its own would be; the notes say
    of which repositories it knew outcomes.
    """
    seen: tuple[str, ...] = ()
    if bundle.metadata.facts.measured_on:
        bundle, seen = with_windows(bundle, dataset)
    evaluation = _evaluate(
        bundle, dataset, read, options or Options(), peers or Peers(), progress=progress
    )
    if not seen:
        return evaluation
    note = f"the general model learnt from {', '.join(seen)}: these figures flatter it"
    return msgspec.structs.replace(evaluation, notes=[*evaluation.notes, note])


def _evaluate(
    bundle: Bundle,
    dataset: Dataset,
    read: Read | None,
    options: Options,
    peers: Peers,
    *,
    progress: Progress,
) -> Evaluation:
    injected = None
    if read is not None:
        until = bundle.metadata.facts.trained_until
        since = {name: until[name] for name in dataset.repositories if name in until}
        injected = peers.once(
            tuple(since.items()),
            lambda: inject(read, since, seed=options.seed, progress=progress),
        )
    return evaluate(
        bundle, dataset, injected=injected, options=options, peers=peers, progress=progress
    )
