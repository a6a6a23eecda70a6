"""Argo CD's Applications: what they render, and what their syncs do to what runs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from support.deploy.manifests import APPS, OVERLAYS, Object, Violation, name_of, of_kind

KINDS: Final = ("Application", "AppProject")
_HASH: Final = "/spec/selector/rollouts-pod-template-hash"


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every Application."""
    for application in of_kind(objects, "Application"):
        for why in (*_source(application["spec"]["source"]), *_sync(application["spec"])):
            yield Violation("argo_cd", name_of(application), why)


def _source(source: dict[str, Any]) -> Iterator[str]:
    if source.get("kustomize"):
        yield f"adds {', '.join(source['kustomize'])} to the overlay's own kustomization"
    if (APPS.parent / source["path"]).parent != OVERLAYS:
        yield f"renders {source['path']}, which is no overlay"


def _sync(spec: dict[str, Any]) -> Iterator[str]:
    options = set(spec.get("syncPolicy", {}).get("syncOptions", []))
    if "PruneLast=true" in options:
        yield "waits, with every later commit, until the roll-out that a person looks at is healthy"
    if "ServerSideApply=true" not in options:
        return
    if "RespectIgnoreDifferences=true" not in options or not any(
        each["kind"] == "Service" and _HASH in each.get("jsonPointers", [])
        for each in spec.get("ignoreDifferences", [])
    ):
        yield "strips the hash of Argo Rollouts from the services' selectors"
