"""Argo CD's Applications: they may choose a branch and components, and nothing that runs."""

from pathlib import Path
from typing import Any, Final

import yaml

from delivery.errors import RefusedError
from delivery.stages import MAIN, MANIFESTS, STAGING

CLUSTERS: Final = {"staging": STAGING, "production": MAIN}
"""Cluster → the branch that it runs."""
_SOURCE: Final = frozenset({"repoURL", "targetRevision", "path", "kustomize"})


def components(folder: Path) -> list[str]:
    """Components that production opts in to. Raises RefusedError where an Application does more."""
    found = {name: _source(folder, name) for name in CLUSTERS}
    if len({str(each.get("repoURL")) for each in found.values() if each}) > 1:
        raise RefusedError("the two clusters read two repositories")
    chosen = found["production"].get("kustomize") or {}
    return [str(each) for each in chosen.get("components") or ()]


def _source(folder: Path, cluster: str) -> dict[str, Any]:
    """Where the cluster's Application reads; empty where there is none."""
    path = folder / "argo-apps" / "clusters" / cluster / "application.yaml"
    if not path.exists():
        return {}
    shown = path.relative_to(folder)
    try:
        spec = yaml.safe_load(path.read_bytes())["spec"]
        source = dict(spec["source"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{shown} is no Application with one source: {error}") from None
    more = {*(set(source) - _SOURCE), *(set(spec) & {"sources"})}
    more |= {f"kustomize.{key}" for key in set(source.get("kustomize") or {}) - {"components"}}
    if more:
        raise RefusedError(
            f"{shown} sets {', '.join(sorted(more))}",
            hint="what runs is decided by the manifests alone, which were reviewed and tested",
        )
    if source.get("targetRevision") != CLUSTERS[cluster] or source.get("path") != MANIFESTS:
        raise RefusedError(f"{shown} does not read {MANIFESTS} on the branch {CLUSTERS[cluster]}")
    return source
