"""What rendered manifests may hold: kinds, images, and every other place that could bring code.

The list is delivery/admitted.toml; whatever is not on it is refused.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml

from delivery import strict_yaml
from delivery.errors import RefusedError
from delivery.kustomization import digests
from delivery.stages import image_name

_OURS: Final = re.compile(r"registry\.digitalocean\.com/[^\s\"',]+")
_BY_DIGEST: Final = re.compile(r"[\w./:-]+@sha256:[0-9a-fA-F]+")
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_TIMES: Final = re.compile(r"\w+(Seconds|Threshold)")
_SHOWN: Final = 5

admitted: Final = tomllib.loads(Path(__file__).with_name("admitted.toml").read_text("utf-8"))
"""The list, as delivery/admitted.toml has it."""


def check_manifests(manifests: str, kustomization: str) -> None:
    """Raises RefusedError for whatever the rendered manifests hold that is not admitted.

    Images are a stage's at its digest in the kustomization, or a third party's that is listed.
    """
    images = {f"{image_name(stage)}@{each}" for stage, each in digests(kustomization).items()}
    inspection = _Inspection(images | set(admitted["third_party"]))
    strange = {name for name in _OURS.findall(manifests) if name not in inspection.images}
    problems = {f"the manifests run {name}" for name in strange}
    for document in yaml.safe_load_all(manifests):
        problems |= set(inspection.problems(document))
    if problems:
        listed = sorted(problems)
        more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        raise RefusedError(
            "; ".join(listed[:_SHOWN]) + more,
            hint="an image is a stage's, by its digest in kustomization.yaml, or one that "
            "delivery/admitted.toml lists, as it does all else that manifests may hold",
        )


class _Inspection:
    """Finds what is not admitted; `images` are those that may run."""

    def __init__(self, images: set[str]) -> None:
        self.images = images

    def problems(self, document: object) -> Iterator[str]:
        if not isinstance(document, dict):
            yield "a document is no object"
            return
        kind = f"{document.get('apiVersion')}/{document.get('kind')}"
        if kind not in admitted["kinds"]:
            yield f"the manifests hold {kind}"
        yield from self._node(document)
        if document.get("kind") == "ConfigMap":
            yield from self._config_map(document)
        if document.get("kind") == "AnalysisTemplate":
            yield from _providers(document)
        if document.get("kind") == "PersistentVolumeClaim":
            yield from _unknown(document.get("spec") or {}, admitted["claim"], "a claim")
        if document.get("kind") == "Ingress":
            for name in document["metadata"].get("annotations") or {}:
                if name not in admitted["annotations"]:
                    yield f"an Ingress has the annotation {name}"

    def _node(self, node: object) -> Iterator[str]:
        if isinstance(node, list):
            for each in node:
                yield from self._node(each)
        elif isinstance(node, dict):
            if any(name in node for name in (*_CONTAINERS, "volumes")):
                yield from _pod(node)
            for key, value in node.items():
                if str(key).lower().endswith("image"):
                    yield from self._image(value)
                else:
                    yield from self._node(value)
        elif isinstance(node, str):
            yield from self._named(node)

    def _image(self, value: object) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"the manifests have an image that is no text: {json.dumps(value)[:80]}"
        elif value not in self.images:
            yield f"the manifests run {value}"

    def _named(self, text: str) -> Iterator[str]:
        """Images by digest anywhere in a text: an argument, a setting, a script."""
        for name in _BY_DIGEST.findall(text):
            if name not in self.images:
                yield f"the manifests run {name}"

    def _config_map(self, document: dict[str, Any]) -> Iterator[str]:
        for name, text in (document.get("data") or {}).items():
            shown = f"{document['metadata'].get('name')}/{name}"
            for content in _contents(str(name), str(text), shown):
                yield from self._node(content)
                yield from _spark(content, shown)


def _contents(name: str, text: str, shown: str) -> list[object]:
    """What a file of a ConfigMap holds, where it is TOML, YAML or JSON."""
    try:
        if name.endswith(".toml"):
            return [tomllib.loads(text)]
        if name.endswith(".json"):
            return [json.loads(text)]
    except ValueError as error:
        raise RefusedError(f"{shown} cannot be read: {error}") from None
    if name.endswith((".yaml", ".yml")):
        return [strict_yaml.load(text, shown)]
    return []


def _spark(settings: object, shown: str) -> Iterator[str]:
    spark = settings.get("spark") if isinstance(settings, dict) else None
    conf = spark.get("conf") if isinstance(spark, dict) else None
    for key in _flat(conf):
        if key not in admitted["spark"]["conf"]:
            yield f"{shown} sets {key}"


def _flat(table: object, prefix: str = "") -> Iterator[str]:
    """Dotted names of a table's values: TOML may write them as tables."""
    if not isinstance(table, dict):
        return
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield name


def _pod(spec: dict[str, Any]) -> Iterator[str]:
    for volume in _mappings(spec.get("volumes")):
        yield from _unknown(volume, admitted["pod"]["volumes"], "a volume")
    for name in _CONTAINERS:
        for container in _mappings(spec.get(name)):
            yield from _unknown(container, admitted["pod"]["container"], "a container")
            yield from _container(container)


def _container(container: dict[str, Any]) -> Iterator[str]:
    allowed = admitted["pod"]
    for mount in _mappings(container.get("volumeMounts")):
        yield from _unknown(mount, allowed["mount"], "a mount")
        if mount.get("mountPath") not in allowed["mount_paths"]:
            yield f"a container mounts {mount.get('mountPath')}"
    for variable in _mappings(container.get("env")):
        name = str(variable.get("name"))
        if not any(fnmatchcase(name, pattern) for pattern in allowed["environment"]):
            yield f"a container sets {name}"
    for name in _PROBES:
        for key in container.get(name) or {}:
            if key not in allowed["probes"] and not _PROBE_TIMES.fullmatch(str(key)):
                yield f"a {name} uses {key}"


def _providers(template: dict[str, Any]) -> Iterator[str]:
    for metric in _mappings((template.get("spec") or {}).get("metrics")):
        for provider in metric.get("provider") or {}:
            if provider not in admitted["providers"]:
                yield f"an analysis asks {provider}"


def _unknown(mapping: dict[str, Any], keys: list[str], what: str) -> Iterator[str]:
    for key in mapping:
        if key not in keys:
            yield f"{what} uses {key}"


def _mappings(entries: object) -> Iterator[dict[str, Any]]:
    if entries is None:
        return
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict):
            raise RefusedError(f"the manifests have {entry!r:.80} where an object is expected")
        yield entry
