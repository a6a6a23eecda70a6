"""What monitoring found, and the same in Prometheus' text format."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, get_args

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


Sample = tuple[dict[str, str], float]


def prometheus_text(findings: Findings) -> str:
    """The whole page; names end in their unit."""
    return "".join(
        f"# HELP {name} {sentence}\n# TYPE {name} gauge\n"
        + "".join(f"{name}{_labels(labels)} {value:.9g}\n" for labels, value in samples)
        for name, sentence, samples in _gauges(findings)
        if samples
    )


def _gauges(findings: Findings) -> Iterator[tuple[str, str, list[Sample]]]:
    yield from _drift(findings)
    yield from _outcomes(findings)
    fresh = findings.freshness
    day = 86_400.0
    ages: list[Sample] = [
        ({"repository": name}, age * day) for name, age in fresh.repositories.items()
    ]
    yield "pullrisk_monitor_merge_age_seconds", "Since the repository's latest merge", ages
    model: list[Sample] = [({}, fresh.model_age_days * day)]
    yield "pullrisk_monitor_model_age_seconds", "Since the end of the training data", model
    counts = Counter(alarm.kind for alarm in findings.alarms)
    alarms: list[Sample] = [({"kind": kind}, float(counts[kind])) for kind in get_args(Kind)]
    yield "pullrisk_monitor_alarms", "Thresholds that are crossed", alarms
    at: list[Sample] = [({}, findings.at.timestamp())]
    yield "pullrisk_monitor_run_timestamp_seconds", "When monitoring ran", at


def _drift(findings: Findings) -> Iterator[tuple[str, str, list[Sample]]]:
    indexes: list[Sample] = []
    drifted: list[Sample] = []
    for drift in findings.drift:
        drifted.append(({"repository": drift.repository}, float(len(drift.drifted))))
        indexes += [
            ({"repository": drift.repository, "column": column.name}, column.index / column.limit)
            for column in drift.columns
        ]
    sentence = "Population stability index over the limit it is held to; 1 is the limit"
    yield "pullrisk_monitor_drift_ratio", sentence, indexes
    yield "pullrisk_monitor_drifted_columns", "Features and scores that have drifted", drifted


def _outcomes(findings: Findings) -> Iterator[tuple[str, str, list[Sample]]]:
    window = findings.recent_outcomes
    if window is None:
        return
    bounds: list[Sample] = [
        ({"bound": bound}, value)
        for bound, value in (("value", window.ratio.value), ("low", window.ratio.low),
                             ("high", window.ratio.high))
    ]  # fmt: skip
    yield "pullrisk_monitor_outcomes_ratio", "Outcomes over what was predicted", bounds
    if window.auc is not None:
        auc: list[Sample] = [
            ({"bound": "value"}, window.auc.value),
            ({"bound": "low"}, window.auc.low),
            ({"bound": "high"}, window.auc.high),
        ]
        yield "pullrisk_monitor_auc_ratio", "AUC of the risk within repositories", auc


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
