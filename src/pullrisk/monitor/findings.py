"""What monitoring found, as plain structures that become JSON, a page and metrics."""

from datetime import datetime
from typing import Literal

import msgspec

from pullrisk.monitor.drift import Drift
from pullrisk.monitor.outcomes import Window

Kind = Literal["features", "scores", "calibration", "ranking", "data age", "model age"]


class Alarm(msgspec.Struct, frozen=True):
    """A threshold that was crossed, in words a person can act on."""

    kind: Kind
    subject: str
    value: float
    limit: float
    text: str


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """Days between now and the latest merge of all, of each repository, and of the training."""

    data_age_days: float
    model_age_days: float
    repositories: dict[str, float]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a model and the pulls since its training; `notes` tell what could not be done."""

    at: datetime
    schema_hash: str
    target: str
    freshness: Freshness
    drift: list[Drift]
    recent_outcomes: Window | None
    outcomes: list[Window]
    alarms: list[Alarm]
    notes: list[str]
