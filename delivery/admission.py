"""What rendered manifests may hold: kinds, images, and every other place that could bring code.

The list is delivery/admitted.toml; whatever is not on it is refused.
"""

import base64
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

import yaml

from delivery import pods, strict_yaml
from delivery.admitted import admitted
from delivery.errors import RefusedError
from delivery.kustomization import digests
from delivery.stages import image_name

_OURS: Final = re.compile(r"registry\.digitalocean\.com/[^\s\"',]+")
_BY_DIGEST: Final = re.compile(r"[\w./:-]+@sha256:[0-9a-fA-F]+")
_SHOWN: Final = 5
_WORD: Final = re.compile(r"[\w.-]*", re.ASCII)
"""A text that holds no setting, whatever reads it."""
_ENDINGS: Final = (".json", ".toml", ".yaml", ".yml")
_GZIP: Final = b"\x1f\x8b"
"""No reader of settings takes a file that begins so."""


def check_manifests(manifests: str, kustomization: str, code: Collection[str] = ()) -> None:
    """Raises RefusedError for whatever the rendered manifests hold that is not admitted.

    Images are a stage's at its digest in the kustomization, or a third party's that is listed;
    `code` holds the Python files that a ConfigMap may bring.
    """
    images = {f"{image_name(stage)}@{each}" for stage, each in digests(kustomization).items()}
    inspection = _Inspection(images | set(admitted["third_party"]), code)
    strange = {name for name in _OURS.findall(manifests) if name not in inspection.images}
    problems = {f"the manifests run {name}" for name in strange}
    try:
        for document in yaml.safe_load_all(manifests):
            problems |= set(inspection.problems(document))
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        # something of another shape than Kubernetes', which nothing here reads
        raise RefusedError(f"the manifests have what cannot be read: {error}") from None
    if problems:
        listed = sorted(problems)
        more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        raise RefusedError(
            "; ".join(listed[:_SHOWN]) + more,
            hint="an image is a stage's, by its digest in kustomization.yaml, or one that "
            "delivery/admitted.toml lists, as it does all else that manifests may hold",
        )


class _Inspection:
    """Finds what is not admitted; `images` and `code` are what may run."""

    def __init__(self, images: set[str], code: Collection[str]) -> None:
        self.images, self.code = images, code

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
            yield from pods.unknown(document.get("spec") or {}, admitted["claim"], "a claim")
        if document.get("kind") == "Ingress":
            for name in document["metadata"].get("annotations") or {}:
                if name not in admitted["annotations"]:
                    yield f"an Ingress has the annotation {name}"

    def _node(self, node: object) -> Iterator[str]:
        if isinstance(node, list):
            for each in node:
                yield from self._node(each)
        elif isinstance(node, dict):
            if pods.is_pod(node):
                yield from pods.problems(node)
                for container in pods.containers(node):
                    yield from self._environment(container)
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

    def _environment(self, container: dict[str, Any]) -> Iterator[str]:
        """Variables are settings, too: pullrisk reads JSON in them, and `__` between names."""
        for variable in pods.mappings(container.get("env")):
            name, value = str(variable.get("name")), variable.get("value")
            if not any(fnmatchcase(name, each) for each in admitted["pod"]["environment"]):
                yield f"a container sets {name}"
            field = (variable.get("valueFrom") or {}).get("fieldRef") or {}
            if "valueFrom" in variable and field.get("fieldPath") not in admitted["pod"]["fields"]:
                yield f"{name} has a value from elsewhere"
            content = _parsed(value)
            for part in reversed(name.lower().removeprefix("pullrisk_").split("__")):
                content = {part: content}
            yield from self._settings(content, name)

    def _config_map(self, document: dict[str, Any]) -> Iterator[str]:
        shown = document["metadata"].get("name")
        for name, text in (document.get("data") or {}).items():
            yield from self._file(str(name), str(text), f"{shown}/{name}")
        for name, text in (document.get("binaryData") or {}).items():
            if not base64.b64decode(str(text)).startswith(_GZIP):
                yield f"{shown}/{name} is a file that the judge does not read"

    def _file(self, name: str, text: str, shown: str) -> Iterator[str]:
        """A file of a ConfigMap: settings, code, or one word."""
        if name.endswith(".py") and text not in self.code:
            yield f"{shown} is code that tests/performance has not"
        elif not (name.endswith((*_ENDINGS, ".py")) or _WORD.fullmatch(text)):
            yield f"{shown} is a file that the judge does not read"
        for content in _contents(name, text, shown):
            yield from self._settings(content, shown)

    def _settings(self, content: object, shown: str) -> Iterator[str]:
        yield from self._node(content)
        yield from _spark(content, shown)


def _contents(name: str, text: str, shown: str) -> Iterator[object]:
    """What a file holds for those who read it by its name, and for pullrisk, which reads TOML."""
    try:
        if name.endswith(".json"):
            yield json.loads(text)
    except ValueError as error:
        raise RefusedError(f"{shown} cannot be read: {error}") from None
    if name.endswith((".yaml", ".yml")):
        yield strict_yaml.load(text, shown)
    try:
        yield tomllib.loads(text)
    except ValueError as error:
        if name.endswith(".toml"):
            raise RefusedError(f"{shown} cannot be read: {error}") from None


def _parsed(value: object) -> object:
    """A variable's value, as JSON where it is that."""
    try:
        return json.loads(str(value))
    except ValueError:
        return value


def _spark(settings: object, shown: str) -> Iterator[str]:
    spark = settings.get("spark") if isinstance(settings, dict) else None
    if not isinstance(spark, dict):
        return
    conf = dict(_flat(spark.get("conf")))
    for key in conf:
        if key not in admitted["spark"]["conf"]:
            yield f"{shown} sets {key}"
    for key, pattern in admitted["spark"]["values"].items():
        value = (spark | conf).get(key)
        if value is not None and not re.fullmatch(pattern, str(value)):
            yield f"{shown} sets {key} to {value}"


def _flat(table: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """A table's values by their dotted names: TOML may write them as tables."""
    if not isinstance(table, dict):
        return
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _providers(template: dict[str, Any]) -> Iterator[str]:
    for metric in pods.mappings((template.get("spec") or {}).get("metrics")):
        for provider in metric.get("provider") or {}:
            if provider not in admitted["providers"]:
                yield f"an analysis asks {provider}"
