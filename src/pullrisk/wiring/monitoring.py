"""Monitoring on a session: its lake held against what a model learnt from."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.monitor.findings import Findings
    from pullrisk.train.pipeline import TrainResult


def monitor(session: Session, bundle: "Bundle", *, days: int | None = None) -> "Findings":
    """Hold the session's lake against what a model learnt from."""
    from pullrisk.features import NAMES
    from pullrisk.monitor.run import Pulls
    from pullrisk.monitor.run import monitor as look
    from pullrisk.train.dataset import ANSWER_OF, Dataset
    from pullrisk.train.evaluate import main_target
    from pullrisk.train.evaluation import OUTCOMES

    facts, thresholds = bundle.metadata.facts, session.settings.monitor
    data = Dataset.from_table(session.lake.table(), NAMES, maturity_days=facts.maturity_days)
    target = main_target(bundle, data)
    return look(
        bundle,
        Pulls(
            data.repositories,
            data.x,
            data.repository,
            data.merged_at,
            data.labels(target),
            OUTCOMES.get(target, target),
            ANSWER_OF[target],
        ),
        now=datetime.now(UTC),
        options=thresholds if days is None else thresholds.model_copy(update={"days": days}),
        progress=session.progress,
    )


def retrain(session: Session) -> "TrainResult":
    """Preprocess what is new and train on it; the gate decides."""
    from pullrisk.wiring.preprocessing import preprocess
    from pullrisk.wiring.training import train

    preprocess(session)
    return train(session)
