"""Rendered manifests: what `kubectl kustomize` makes of argo-apps, and the pods inside of it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[3]
APPS = ROOT / "argo-apps"
BASE = APPS / "base"
OVERLAYS = APPS / "overlays"
COMPONENTS = tuple(
    sorted(path.parent.name for path in APPS.glob("components/*/kustomization.yaml"))
)
NAMESPACE = "pullrisk"
SPARK_NAMESPACE = "pullrisk-spark"
"""Of preprocessing, which may make pods there."""
STAGES = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")

Object = dict[str, Any]


class Violation(NamedTuple):
    """What a rule found: its name, the object, and the reason."""

    rule: str
    where: str
    why: str


class Pod(NamedTuple):
    """A pod template and whose it is; `labels` are those of its pods."""

    owner: Object
    labels: dict[str, str]
    spec: Object

    @property
    def namespace(self) -> str:
        return str(self.owner["metadata"].get("namespace"))

    @property
    def where(self) -> str:
        return name_of(self.owner)

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def render(folder: Path) -> list[Object]:
    """The objects that a folder with a kustomization makes."""
    ours = folder.is_relative_to(ROOT)  # which no test changes
    return _objects(_built_once(folder) if ours else _built(folder))


def render_with(*components: str) -> list[Object]:
    """An overlay like those of the clusters, with these components."""
    return _objects(_overlay(components))


def _objects(text: str) -> list[Object]:
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def _built(folder: Path) -> str:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


_built_once = cache(_built)


@cache
def _overlay(components: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory(prefix="pullrisk-render-") as folder:
        up = Path(os.path.relpath(APPS, Path(folder).resolve()))
        (Path(folder) / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {
                    "resources": [str(up / "base")],
                    "components": [str(up / "components" / name) for name in components],
                }
            )
        )
        return _built(Path(folder))


def name_of(manifest: Object) -> str:
    """Kind and name, as in `CronJob/data-fetch`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def pods(objects: Sequence[Object]) -> Iterator[Pod]:
    """Every pod template: of CronJobs, Jobs, Rollouts, and of the jobs of an analysis."""
    for manifest in objects:
        for template in _templates(manifest):
            yield Pod(manifest, template.get("metadata", {}).get("labels", {}), template["spec"])


def _templates(manifest: Object) -> Iterator[Object]:
    if manifest["kind"] == "CronJob":
        yield manifest["spec"]["jobTemplate"]["spec"]["template"]
    elif manifest["kind"] in ("Job", "Rollout", "Deployment", "StatefulSet", "DaemonSet"):
        yield manifest["spec"]["template"]
    elif manifest["kind"] == "AnalysisTemplate":
        for metric in manifest["spec"]["metrics"]:
            job = metric["provider"].get("job")
            if job:
                yield job["spec"]["template"]


def values_at(node: Any, *path: str) -> Iterator[Any]:
    """All values below a path of keys; lists are looked through."""
    if isinstance(node, list):
        for item in node:
            yield from values_at(item, *path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from values_at(node[path[0]], *path[1:])


def selects(selector: dict[str, str] | None, labels: dict[str, str]) -> bool:
    """Whether plain labels match; an empty selector matches all."""
    return all(labels.get(name) == value for name, value in (selector or {}).items())
