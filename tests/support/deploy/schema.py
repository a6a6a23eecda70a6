"""Strict validation: Kubernetes' own schemas, and Argo's custom resource definitions."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from support.deploy.manifests import ROOT, Object, Violation, name_of

CRDS = ROOT.parent / "shared" / "schemas" / "argo"
OLDEST = "1.34"
"""The oldest Kubernetes that docs/operations.md names."""
OPERATOR = "monitoring.coreos.com"
"""Prometheus' operator: its definitions are nowhere here, rules.py looks at its objects."""


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every object against the schema of its kind."""
    for manifest in objects:
        for why in _found(json.dumps(manifest, sort_keys=True)):
            yield Violation("schema", name_of(manifest), why)


@cache
def _found(text: str) -> tuple[str, ...]:
    """What is wrong with one object, as JSON: many tests look at the same one."""
    manifest = json.loads(text)
    group = manifest["apiVersion"].partition("/")[0]
    if group == "argoproj.io":
        return tuple(_argo(manifest))
    return () if group == OPERATOR else tuple(_kubernetes(manifest))


def _kubernetes(manifest: Object) -> Iterator[str]:
    versions = kubernetes_validate.utils.all_versions()
    for version in (OLDEST, versions[-1]):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(map(str, error.path))
            yield f"{version}: {place}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield str(error.message)


def _argo(manifest: Object) -> Iterator[str]:
    if not CRDS.is_dir():
        return
    schema = definitions().get((manifest["apiVersion"], manifest["kind"]))
    if schema is None:
        yield f"no definition of {manifest['apiVersion']}"
        return
    for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest):
        place = ".".join(map(str, error.path))
        yield f"{place}: {error.message[:300]}"


@cache
def definitions() -> dict[tuple[str, str], dict[str, Any]]:
    """JSON Schema of each of Argo's kinds, by API version and kind."""
    schemas = {}
    for path in CRDS.glob("*.yaml"):
        spec = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            schemas[key] = strict(version["schema"]["openAPIV3Schema"], top=True)
    return schemas


def strict(schema: dict[str, Any], *, top: bool = False) -> dict[str, Any]:
    """A structural schema as JSON Schema that refuses unknown fields, as kubectl does."""
    json_schema = {
        key: value
        for key, value in schema.items()
        if key not in {"properties", "items", "additionalProperties", "format", "type"}
        and not key.startswith("x-")
    }
    kinds = _kinds(schema)
    if kinds:
        json_schema["type"] = kinds
    if isinstance(schema.get("items"), dict):
        json_schema["items"] = strict(schema["items"])
    if "properties" in schema:
        json_schema["properties"] = {k: strict(v) for k, v in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            json_schema["additionalProperties"] = False
    if isinstance(schema.get("additionalProperties"), dict):
        json_schema["additionalProperties"] = strict(schema["additionalProperties"])
    if top or schema.get("x-kubernetes-embedded-resource"):
        json_schema["properties"] = json_schema.get("properties", {}) | {
            "metadata": {"type": "object"}
        }
    return json_schema


def _kinds(schema: dict[str, Any]) -> list[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    kinds = [schema["type"]] if "type" in schema else []
    return [*kinds, "null"] if kinds and schema.get("nullable") else kinds


def have_definitions(folder: Path = CRDS) -> bool:
    """Whether Argo's definitions lie beside the checkout."""
    return folder.is_dir()
