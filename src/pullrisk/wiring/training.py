"""The stage ml-training on a session: a model trained, judged and registered from its lake."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.evaluation import Evaluation
    from pullrisk.train.pipeline import TrainResult
    from pullrisk.train.training import TrainSettings
    from pullrisk.train.warm_start import WarmStart

Target = Literal["reverted", "trouble"]


def train(
    session: Session,
    *,
    target: Target = "reverted",
    gated: bool = True,
    start: str | None = None,
) -> "TrainResult":
    """Train on the session's lake, register the model, and let the gate decide if `gated`.

    `start` is the model to fine-tune.
    """
    from pullrisk.train.pipeline import train_model
    from pullrisk.wiring.adapters import tracking

    settings, table = session.settings, session.lake.table()
    wanted, begun = _wanted(session, target), None
    if start is not None:
        wanted, begun = _fine_tuning(session, wanted, start)
    return train_model(
        table,
        home=settings.home,
        settings=wanted,
        tracking=tracking(settings),
        read=session.store.events,
        source={"lake": session.lake.uri, "version": str(session.lake.version)},
        gate=settings.gate if gated else None,
        start=begun,
        progress=session.progress,
    )


def _wanted(session: Session, target: Target) -> "TrainSettings":
    from pullrisk.train.training import TrainSettings
    from pullrisk.wiring.adapters import operating_points

    settings = session.settings
    return TrainSettings(
        target=target,
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
    from pullrisk.wiring.adapters import load_model

    start = WarmStart.of(load_model(session.settings, reference), name=reference)
    return msgspec.structs.replace(settings, fit=fine_tuning(settings.fit)), start


def trained_before(session: Session, target: Target) -> str | None:
    """The version that was trained on the lake as it is now; None if there is none."""
    from pullrisk.train.registry import already_trained
    from pullrisk.wiring.adapters import tracking

    if not session.lake.exists():
        return None
    place, days = tracking(session.settings), session.settings.maturity_days
    found = already_trained(place, _source(session), target=target, maturity_days=days)
    return None if found is None else found.version


def _source(session: Session) -> dict[str, str]:
    return {"lake": session.lake.uri, "version": str(session.lake.version)}


def evaluate(session: Session, bundle: "Bundle", *, since: datetime | None = None) -> "Evaluation":
    """Judge a model on the session's lake."""
    from pullrisk.train.evaluate import Options
    from pullrisk.train.pipeline import evaluate_bundle

    return evaluate_bundle(
        bundle,
        session.lake.table(),
        read=session.store.events,
        options=Options(since=since.replace(tzinfo=UTC) if since else None),
        progress=session.progress,
    )
