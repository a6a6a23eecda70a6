"""Defaults that Kubernetes fills in where a manifest leaves them out.

In a list that is merged by its keys, and in a part that is replaced as a whole, what was filled in
differs from Git for ever: Argo CD applies it again and again.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from support.deploy.manifests import Object, Violation, name_of, pods, values_at

_WITHIN: Final = {
    "fieldRef": ("apiVersion",),
    "resourceFieldRef": ("divisor",),
    "serviceAccountToken": ("expirationSeconds",),
    "onPodConditions": ("status",),
    "topologySpreadConstraints": ("whenUnsatisfiable",),
    "roleRef": ("apiGroup",),
}
"""Key → the fields of what is below it that Kubernetes would fill in."""


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every object, and the ports of every pod, service and policy."""
    for manifest in objects:
        for why in sorted({*_ports(manifest), *_below(manifest)}):
            yield Violation("defaults", name_of(manifest), why)


def _ports(manifest: Object) -> Iterator[str]:
    lists = [values_at(list(pod.containers), "ports") for pod in pods([manifest])]
    if manifest["kind"] == "Service":
        lists.append(values_at(manifest, "spec", "ports"))
    if manifest["kind"] == "NetworkPolicy":
        lists += [values_at(manifest, "spec", way, "ports") for way in ("ingress", "egress")]
    for port in (port for found in lists for port in found):
        if "protocol" not in port:
            yield f"port {port.get('port', port.get('containerPort'))} has no protocol"


def _below(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _below(each)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield from (
                    f"{key} has no {name}" for name in _WITHIN.get(key, ()) if name not in part
                )
        yield from _below(value)
