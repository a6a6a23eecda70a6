"""The stage ml-training on a session: a model trained, judged and registered from its lake."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pullrisk.errors import NotEnoughDataError
from pullrisk.wiring.adapters import load_model, operating_points, tracking
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.dataset import Dataset
    from pullrisk.train.evaluate import Peers
    from pullrisk.train.evaluation import Evaluation
    from pullrisk.train.pipeline import TrainResult
    from pullrisk.train.training import TrainSettings
    from pullrisk.train.warm_start import WarmStart


def train(session: Session, *, gated: bool = True, start: str | None = None) -> "TrainResult":
    """Train on the session's lake, register the model, and let the gate decide if `gated`.

    `start` is the model to fine-tune.
    """
    from pullrisk.train.pipeline import train_model

    settings, table = session.settings, session.lake.table()
    train_settings, warm_start = _train_settings(session), None
    if start is not None:
        train_settings, warm_start = _fine_tuning(session, train_settings, start)
    return train_model(
        table,
        home=settings.home,
        settings=train_settings,
        tracking=tracking(settings),
        read=session.store.events,
        source=_source(session),
        gate=settings.gate if gated else None,
        start=warm_start,
        progress=session.progress,
    )


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """What a run scores with: the model, its name for people, its evaluation, and what happened.

    `untrained` says why no model was trained, `result` is the training's.
    """

    bundle: "Bundle"
    name: str
    evaluation: "Evaluation"
    result: "TrainResult | None" = None
    untrained: str = ""


def train_if_possible(session: Session) -> ModelInUse:
    """Train on the session's lake, and tell what the home scores with from now on.

    With too few pulls nothing is trained, and the champion or the general model answers.
    """
    try:
        result = train(session)
    except NotEnoughDataError as error:
        bundle = _untrained(session)
        return ModelInUse(
            bundle, model_name(bundle), evaluate(session, bundle), untrained=str(error.args[0])
        )
    bundle = result.in_use
    if result.uses_trained:
        name = f"model version {result.tracked.version}"
        return ModelInUse(bundle, name, result.evaluation, result)
    same = bundle.metadata.facts.maturity_days == result.trained.bundle.metadata.facts.maturity_days
    evaluation = evaluate(session, bundle, peers=result.peers if same else None)
    return ModelInUse(bundle, model_name(bundle), evaluation, result)


def model_name(bundle: "Bundle") -> str:
    """What people call the model of a home's file."""
    return "the general model" if bundle.metadata.facts.measured_on else "the champion"


def _untrained(session: Session) -> "Bundle":
    from pullrisk.train.pipeline import use_untrained

    settings = session.settings
    return use_untrained(
        session.lake.table(),
        home=settings.home,
        tracking=tracking(settings),
        days=settings.maturity_days,
    )


def _train_settings(session: Session) -> "TrainSettings":
    from pullrisk.train.training import TrainSettings

    settings = session.settings
    return TrainSettings(
        maturity_days=settings.maturity_days,
        seed=settings.seed,
        operating_points=operating_points(settings),
    )


def _fine_tuning(
    session: Session, settings: "TrainSettings", reference: str
) -> "tuple[TrainSettings, WarmStart]":
    """The settings of a fine-tuning, and the model where it starts."""
    import msgspec

    from pullrisk.train.fit import fine_tuning
    from pullrisk.train.warm_start import WarmStart

    start = WarmStart.of(load_model(session.settings, reference), name=reference)
    return msgspec.structs.replace(settings, fit=fine_tuning(settings.fit)), start


def trained_before(session: Session) -> str | None:
    """The version that was trained on the lake as it is now; None if there is none."""
    from pullrisk.train.registry import already_trained

    if not session.lake.exists():
        return None
    place, days = tracking(session.settings), session.settings.maturity_days
    version = already_trained(place, _source(session), maturity_days=days)
    return None if version is None else version.version


def _source(session: Session) -> dict[str, str]:
    return {"lake": session.lake.uri, "version": str(session.lake.version)}


def evaluate(
    session: Session,
    bundle: "Bundle",
    *,
    since: datetime | None = None,
    peers: "Peers | None" = None,
) -> "Evaluation":
    """Judge a model on the session's lake; the notes also say what people said of scores.

    `peers` are those of another model, of the same maturity, that was judged on it.
    """
    from msgspec.structs import replace

    from pullrisk.train.evaluate import Options
    from pullrisk.train.pipeline import evaluate_bundle

    evaluation = evaluate_bundle(
        bundle,
        session.lake.table(),
        read=session.store.events,
        options=Options(since=since.replace(tzinfo=UTC) if since else None),
        peers=peers,
        progress=session.progress,
    )
    return replace(evaluation, notes=[*evaluation.notes, *_feedback_notes(session, bundle)])


def dataset(session: Session, maturity_days: float) -> "Dataset":
    """The session's lake, with outcomes."""
    from pullrisk.features import NAMES
    from pullrisk.train.dataset import read_dataset

    return read_dataset(session.lake.table(), NAMES, maturity_days=maturity_days)


def _feedback_notes(session: Session, bundle: "Bundle") -> list[str]:
    from pullrisk.pulls.feedback import load_feedback, outcome_notes
    from pullrisk.train.dataset import UNKNOWN

    feedback = load_feedback(session.store)
    if not feedback:
        return []
    data = dataset(session, bundle.metadata.facts.maturity_days)
    names = [data.repositories[code] for code in data.repository]
    labels = data.labels(data.main_target)
    outcomes = {
        (name, int(number)): bool(label)
        for name, number, label in zip(names, data.number, labels, strict=True)
        if label != UNKNOWN
    }
    return list(outcome_notes(feedback, outcomes))
