"""What pods may hold besides images: keys, volumes, mounts, probes and arguments without code."""

import re
from collections.abc import Iterator
from typing import Any, Final

from delivery.admitted import admitted
from delivery.errors import RefusedError

_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_TIMES: Final = re.compile(r"\w+(Seconds|Threshold)")


def is_pod(node: dict[str, Any]) -> bool:
    """Whether a mapping, wherever it is, describes a pod."""
    return any(name in node for name in (*_CONTAINERS, "volumes"))


def problems(spec: dict[str, Any]) -> Iterator[str]:
    """What of a pod is not admitted, but for its images and what its variables say."""
    allowed = admitted["pod"]
    yield from unknown(spec, allowed["spec"], "a pod")
    for volume in mappings(spec.get("volumes")):
        yield from unknown(volume, allowed["volumes"], "a volume")
        yield from _renamed(volume.get("configMap") or {})
        for source in mappings((volume.get("projected") or {}).get("sources")):
            yield from unknown(source, allowed["projected"], "a projected volume")
            yield from _renamed(source.get("configMap") or {})
    for container in containers(spec):
        yield from unknown(container, allowed["container"], "a container")
        yield from _container(container)


def _renamed(config_map: dict[str, Any]) -> Iterator[str]:
    """A file was read by the ending of its key, so it has to keep that name."""
    for item in mappings(config_map.get("items")):
        if item.get("path") != item.get("key"):
            yield f"a volume has {item.get('key')} as {item.get('path')}"


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of a pod's, whatever they are for."""
    for name in _CONTAINERS:
        yield from mappings(spec.get(name))


def _container(container: dict[str, Any]) -> Iterator[str]:
    allowed = admitted["pod"]
    for mount in mappings(container.get("volumeMounts")):
        yield from unknown(mount, allowed["mount"], "a mount")
        if mount.get("mountPath") not in allowed["mount_paths"]:
            yield f"a container mounts {mount.get('mountPath')}"
    for name in _PROBES:
        for key in container.get(name) or {}:
            if key not in allowed["probes"] and not _PROBE_TIMES.fullmatch(str(key)):
                yield f"a {name} uses {key}"
    yield from _words(container)


def _words(container: dict[str, Any]) -> Iterator[str]:
    """Arguments, and variables inside of texts: Kubernetes puts one's value into another."""
    arguments = [str(each) for each in container.get("args") or []]
    values = [str(each.get("value")) for each in mappings(container.get("env"))]
    for text in (*arguments, *values):
        if "$(" in text:
            yield f"a container puts a variable into {text}"
    if container.get("image") in admitted["third_party"]:
        for option in filter(None, re.split(r" (?=--)", " ".join(arguments))):
            if not any(re.fullmatch(each, option) for each in admitted["third_party_arguments"]):
                yield f"a third party's image is told {option}"
    elif arguments and arguments[0] not in admitted["pod"]["commands"]:
        yield f"a container is told to {arguments[0]}"


def unknown(mapping: dict[str, Any], keys: list[str], what: str) -> Iterator[str]:
    """Of each key that is not in the list, that `what` uses it."""
    for key in mapping:
        if key not in keys:
            yield f"{what} uses {key}"


def mappings(entries: object) -> Iterator[dict[str, Any]]:
    """The objects of a list. Raises RefusedError for anything else in it."""
    if entries is None:
        return
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict):
            raise RefusedError(f"the manifests have {entry!r:.80} where an object is expected")
        yield entry
