"""Argo CD's Applications: they choose a branch and their own overlay, and nothing that runs."""

from pathlib import Path
from typing import Any, Final

from delivery import strict_yaml
from delivery.errors import RefusedError
from delivery.stages import MAIN, MANIFESTS, OVERLAYS, STAGING

CLUSTERS: Final = {"staging": STAGING, "production": MAIN}
"""Cluster → the branch that it runs."""
_SOURCE: Final = frozenset({"repoURL", "targetRevision", "path"})
_SPEC: Final = frozenset(
    {"project", "source", "destination", "ignoreDifferences", "revisionHistoryLimit", "syncPolicy"}
)
_RESOURCES: Final = ["application.yaml", "project.yaml"]


def overlay(folder: Path) -> str:
    """The folder that production renders, the base where no cluster is described.

    Raises RefusedError if an Application does more than name its overlay.
    """
    sources = {name: _source(folder, name) for name in CLUSTERS}
    if len({str(each.get("repoURL")) for each in sources.values() if each}) > 1:
        raise RefusedError("the two clusters read two repositories")
    return str(sources["production"].get("path", MANIFESTS))


def _source(folder: Path, cluster: str) -> dict[str, Any]:
    """Where the cluster's Application reads; returns an empty dict if there is none."""
    path = folder / "argo-apps" / "clusters" / cluster / "application.yaml"
    if not path.exists():
        return {}
    shown = path.relative_to(folder)
    try:
        spec = strict_yaml.load(path.read_bytes(), str(shown))["spec"]
        source = dict(spec["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{shown} is not an Application with one source: {error}") from None
    if more := {*(set(source) - _SOURCE), *(set(spec) - _SPEC)}:
        raise RefusedError(
            f"{shown} sets {', '.join(sorted(more))}",
            hint="what runs is decided by the manifests alone, which were reviewed and tested",
        )
    _check_applied(folder, path.with_name("kustomization.yaml"))
    own = f"{OVERLAYS}/{cluster}"
    if source.get("targetRevision") != CLUSTERS[cluster] or source.get("path") != own:
        raise RefusedError(f"{shown} does not read {own} on the branch {CLUSTERS[cluster]}")
    return source


def _check_applied(folder: Path, path: Path) -> None:
    """The bootstrap applies the cluster's files by it, so it may change none of them."""
    if not path.exists():
        return
    shown = str(path.relative_to(folder))
    content = strict_yaml.load(path.read_bytes(), shown)
    changes = {key for key in content if key not in {"apiVersion", "kind", "resources"}}
    if changes or sorted(map(str, content.get("resources", []))) != _RESOURCES:
        raise RefusedError(f"{shown} is more than {' and '.join(_RESOURCES)}")
