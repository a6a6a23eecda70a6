"""Batch jobs that can be stopped and synced at any time; roll-outs whose way back stays open."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from support.deploy.manifests import Object, Pod, Violation, name_of, of_kind, pods
from support.deploy.program import settings_of

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_LOOKED_AT: Final = 120
"""Seconds that a refused preview may stay up."""
_NO_IMAGE: Final = f"sha256:{'0' * 64}"
_WORD: Final = re.compile(r"\bpullrisk_[a-z_]+")


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Batch stages, the roll-out, its analyses."""
    for manifest in of_kind(objects, "Job"):
        yield Violation("batch", name_of(manifest), "is a plain Job: its image can never be synced")
    for manifest in of_kind(objects, "CronJob"):
        yield from (Violation("batch", name_of(manifest), why) for why in _cron(manifest))
    for manifest in of_kind(objects, "Rollout"):
        yield from (
            Violation("rollout", name_of(manifest), why) for why in _rollout(manifest, objects)
        )
    for manifest in of_kind(objects, "AnalysisTemplate"):
        for metric in manifest["spec"]["metrics"]:
            for why in _metric(metric):
                yield Violation("analysis", name_of(manifest), f"{metric['name']}: {why}")


def _cron(cron_job: Object) -> Iterator[str]:
    spec, job = cron_job["spec"], cron_job["spec"]["jobTemplate"]["spec"]
    if spec.get("concurrencyPolicy") != "Forbid":
        yield "may run beside itself"
    if spec.get("timeZone") != "Etc/UTC":
        yield "runs by the time zone of the controller"
    if not spec.get("startingDeadlineSeconds"):
        yield "is never started again after 100 missed starts"
    if not job.get("activeDeadlineSeconds"):
        yield "may hang for ever"
    if "backoffLimit" not in job or not job.get("podFailurePolicy"):
        yield "does not say which failures are worth another attempt"
    if job["template"]["spec"].get("restartPolicy") != "Never":
        yield "is restarted in place, which hides its exit codes"
    built = all(_NO_IMAGE not in each["image"] for each in next(pods([cron_job])).containers)
    if not built and not spec.get("suspend"):
        yield "starts without an image, and holds its stage until a deadline"
    if built and spec.get("suspend"):
        yield "is suspended though its stage has an image"


def _rollout(rollout: Object, objects: Sequence[Object]) -> Iterator[str]:
    strategy = rollout["spec"]["strategy"].get("blueGreen")
    if strategy is None:
        yield "is not blue/green"
        return
    if strategy.get("autoPromotionEnabled") is not False:
        yield "switches by itself"
    for when in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if not strategy.get(when, {}).get("templates"):
            yield f"has no {when}"
    lasts = longest(strategy.get("postPromotionAnalysis", {}), objects)
    delay = strategy.get("scaleDownDelaySeconds", 30)
    if delay <= lasts:
        yield f"scaleDownDelaySeconds {delay} ends before the analysis of {lasts} s"
    if strategy.get("scaleDownDelayRevisionLimit") != 1:
        yield "keeps the pods of every version of the last half hour"
    if not 30 <= strategy.get("abortScaleDownDelaySeconds", 30) <= _LOOKED_AT:
        yield "does not keep a refused preview for the time that its logs take to read, or longer"
    yield from _stops(next(pods([rollout])), objects)


def _stops(pod: Pod, objects: Sequence[Object]) -> Iterator[str]:
    serve = settings_of(pod, objects).serve
    if pod.spec.get("terminationGracePeriodSeconds", 30) <= serve.drain + serve.grace:
        yield f"is killed within its {serve.drain:g} s of drain and {serve.grace} s of grace"
    names = {name for one in pod.containers for name in one}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe not in names:
            yield f"has no {probe}"
    if not pod.spec.get("topologySpreadConstraints") or not pod.spec.get("affinity"):
        yield "may have all its pods on one node"


def longest(analysis: Object, objects: Sequence[Object]) -> float:
    """Seconds that an analysis may take: its metrics run side by side."""
    templates = {one["metadata"]["name"]: one for one in of_kind(objects, "AnalysisTemplate")}
    used = [one["templateName"] for one in analysis.get("templates", [])]
    metrics = [
        m for name in used for m in templates.get(name, {"spec": {}})["spec"].get("metrics", [])
    ]
    return max((_lasts(metric) for metric in metrics), default=0)


def _lasts(metric: Object) -> float:
    job = metric["provider"].get("job")
    each = job["spec"].get("activeDeadlineSeconds", float("inf")) if job else 0
    if "interval" in metric and "count" not in metric:
        return float("inf")
    waits = _seconds(metric.get("interval", "0s")) * max(int(metric.get("count", 1)) - 1, 0)
    return _seconds(metric.get("initialDelay", "0s")) + waits + each * int(metric.get("count", 1))


def _seconds(text: str) -> float:
    return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([smh])", text))


def _metric(metric: Object) -> Iterator[str]:
    if "interval" in metric and "count" not in metric:
        yield "has an interval and no count: it runs for ever"
    job = metric["provider"].get("job")
    if job:
        yield from _job(job["spec"])
        return
    for name in ("successCondition", "failureCondition"):
        condition = metric.get(name, "")
        if not condition.startswith("len(result) > 0 && !isNaN(result[0]) && "):
            yield f"{name} takes no result, or NaN, for one"
    yield from _query(metric["provider"]["prometheus"]["query"])


def _job(spec: dict[str, Any]) -> Iterator[str]:
    if not spec.get("activeDeadlineSeconds"):
        yield "a job without a deadline is waited for"
    if spec.get("backoffLimit") != 0:
        yield "a failed answer is asked for again"


def _query(query: str) -> Iterator[str]:
    for name in sorted(set(_WORD.findall(query)) - metric_names()):
        yield f"the service has no metric {name}"
    if "{{args.version}}" not in query:
        yield "judges the pods of every version"


@cache
def metric_names() -> set[str]:
    """What the service tells Prometheus, as Prometheus names it."""
    from pullrisk.serve.metrics import _SECRETS, Metrics

    metrics = Metrics()
    metrics.tell_secrets(dict.fromkeys(_SECRETS, 0.0))
    registry = metrics.registry
    found = set()
    for family in registry.collect():
        found.add(family.name)
        if family.type == "counter":
            found.add(f"{family.name}_total")
        if family.type == "histogram":
            found |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    return found
