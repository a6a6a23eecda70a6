"""Persistent volumes: claimed by one workload that can write to them, and safe from a sync."""

from collections.abc import Iterator, Sequence
from typing import Final

from support.deploy.manifests import Object, Pod, Violation, name_of, of_kind, pods, values_at

RULE: Final = "claims"
_SAFE: Final = {"Prune=false", "Delete=false"}


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every claim, and every pod that mounts one."""
    made = {_key(one): one for one in of_kind(objects, "PersistentVolumeClaim")}
    mounted: dict[tuple[str, str], list[Pod]] = {key: [] for key in made}
    for pod in pods(objects):
        for name in claimed(pod):
            if (pod.namespace, name) not in made:
                yield Violation(RULE, pod.where, f"claims {name}, which is not there")
            else:
                mounted[pod.namespace, name].append(pod)
            if "fsGroup" not in pod.spec.get("securityContext", {}):
                yield Violation(RULE, pod.where, f"cannot write to {name}: it has no fsGroup")
    for key, claim in made.items():
        for why in (*_claim(claim), *_mounts(claim, mounted[key])):
            yield Violation(RULE, name_of(claim), why)


def claimed(pod: Pod) -> list[str]:
    """The names of the claims that a pod mounts."""
    return [*values_at(pod.spec.get("volumes", []), "persistentVolumeClaim", "claimName")]


def _key(claim: Object) -> tuple[str, str]:
    return str(claim["metadata"].get("namespace")), claim["metadata"]["name"]


def _claim(claim: Object) -> Iterator[str]:
    """The API refuses a claim without size or access mode."""
    if not claim["spec"].get("resources", {}).get("requests", {}).get("storage"):
        yield "asks for no size"
    if not claim["spec"].get("accessModes"):
        yield "has no access mode"
    options = claim["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
    if not set(options.split(",")) >= _SAFE:
        yield "may be deleted by a sync, with all that is in it"


def _mounts(claim: Object, mounting: list[Pod]) -> Iterator[str]:
    if not mounting:
        yield "is mounted by nobody"
    several = len(mounting) > 1 or any(pod.owner["kind"] != "CronJob" for pod in mounting)
    if several and "ReadWriteMany" not in claim["spec"].get("accessModes", []):
        yield "is mounted by several pods, on one node at a time"
