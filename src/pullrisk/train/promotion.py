"""Running the gate: fetch the champion, meet it, write down what came of it, and promote."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import GENERAL, general_bundle
from pullrisk.options import GateOptions
from pullrisk.redaction import REDACTOR
from pullrisk.train.comparison import Answers, by_bundle, by_record, compare
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import Evaluation
from pullrisk.train.gate import Decision, Incumbent, decide
from pullrisk.train.mlflow_client import Tracking, connected
from pullrisk.train.registry import (
    ROLLED_BACK,
    Version,
    artifact,
    champion,
    download,
    set_champion,
)
from pullrisk.train.tracking import DIGEST, MODEL_NAME, PREDICTIONS_FILE, RISK, digest

GATE_FILE: Final = "gate.json"
_LONGEST_TAG: Final = 4_000


def judge(
    tracking: Tracking,
    challenger: Version,
    bundle: Bundle,
    *,
    dataset: Dataset,
    evaluation: Evaluation,
    options: GateOptions,
) -> Decision:
    """Ask the gate about a registered version, and log its answer to MLflow; nobody is moved.

    `evaluation` is the version's own on `dataset`, with baselines. Raises RegistryError.
    """
    decision = decide(
        challenger.version,
        evaluation,
        _incumbent(tracking, bundle, dataset, evaluation),
        options=options,
        rolled_back=challenger.tags.get(ROLLED_BACK),
    )
    _log(tracking, challenger, decision, options)
    return decision


def promote(tracking: Tracking, version: Version, decision: Decision, *, by: str) -> bool:
    """Make the version champion if the gate let it in; whether it did."""
    if decision.promote:
        set_champion(tracking, version, by=by, reason=f"gate passed: {'; '.join(decision.reasons)}")
    return decision.promote


def answers_of(tracking: Tracking, version: Version) -> tuple[Answers | None, str]:
    """What a version says of pulls, or else None and why it cannot be asked.

    A model that this installation cannot run (another feature schema, a damaged file) is
    asked by what it said when it was trained.
    """
    with TemporaryDirectory(prefix="pullrisk-") as folder:
        try:
            bundle = Bundle.load(download(tracking, version.version, Path(folder)))
            return by_bundle(bundle), ""
        except ModelError as error:
            why = str(error.args[0])
        recorded = None
        with suppress(ModelError):
            recorded = artifact(tracking, version.run_id, PREDICTIONS_FILE, Path(folder))
    return (None if recorded is None else by_record(recorded)), why


def _incumbent(
    tracking: Tracking, bundle: Bundle, dataset: Dataset, evaluation: Evaluation
) -> Incumbent:
    """The champion with what it answers; the general model where no champion gives a risk."""
    now = champion(tracking)
    theirs: Answers | None
    if now is None or now.tags.get(RISK) == "unavailable":
        version, theirs, why = GENERAL, by_bundle(general_bundle()), ""
    elif now.tags.get(DIGEST) == digest(bundle):
        return Incumbent(version=now.version, same_model=True)
    else:
        version = now.version
        theirs, why = answers_of(tracking, now)
    if theirs is None:
        return Incumbent(version=version, why=why)
    target: Any = evaluation.target
    ours = by_bundle(bundle)
    met = compare(ours, theirs, dataset, target=target)
    reverts = None if target == "reverted" else compare(ours, theirs, dataset, target="reverted")
    return Incumbent(version=version, comparison=met, reverts=reverts)


def _log(tracking: Tracking, version: Version, decision: Decision, options: GateOptions) -> None:
    """The decision as a file and metrics of the run, and in short as tags of the version."""
    text = "; ".join(decision.reasons)[:_LONGEST_TAG]
    tags = {"gate": "passed" if decision.promote else "blocked", "gate_reasons": text}
    with connected(tracking) as (_, client):
        for name, value in tags.items():
            client.set_model_version_tag(MODEL_NAME, version.version, name, REDACTOR.text(value))
        if not version.run_id:
            return
        logged = {**msgspec.to_builtins(decision), "options": options.model_dump()}
        client.log_dict(version.run_id, logged, GATE_FILE)
        client.set_tag(version.run_id, "gate", tags["gate"])
        for check in decision.checks:
            if check.difference is not None and check.difference.value is not None:
                metric = f"gate_{check.name.split(' (')[0]}_{check.figure}".replace(" ", "_")
                client.log_metric(version.run_id, metric, check.difference.value)
