"""The restricted Pod Security standard and what this project asks for beyond it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pullrisk.redaction import SENSITIVE_NAME
from pullrisk.settings import PREFIX
from support.deploy.manifests import SPARK_NAMESPACE, Object, Pod, Violation, of_kind, pods

RULE: Final = "security"
VOLUMES: Final = {"configMap", "emptyDir", "persistentVolumeClaim", "projected"}
"""The kinds of volumes that a pod here may have: a subset of the standard's."""
_HOST: Final = ("hostNetwork", "hostPID", "hostIPC")


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every pod, and the namespace that enforces the standard."""
    for pod in pods(objects):
        yield from (Violation(RULE, pod.where, why) for why in faults(pod))
    for one in of_kind(objects, "Namespace"):
        labels = one["metadata"].get("labels", {})
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield Violation(RULE, "Namespace", "does not enforce the restricted standard")
    if SPARK_NAMESPACE not in {
        one["metadata"]["namespace"] for one in of_kind(objects, "ResourceQuota")
    }:
        yield Violation(RULE, SPARK_NAMESPACE, "may take the whole cluster: it has no quota")


def faults(pod: Pod) -> Iterator[str]:
    """What one pod does that it must not."""
    yield from _pod(pod)
    for container in pod.containers:
        yield from _container(container)


def _pod(pod: Pod) -> Iterator[str]:
    spec = pod.spec
    if any(spec.get(name) for name in _HOST):
        yield "shares a namespace of the host"
    if spec.get("automountServiceAccountToken") is not False:
        yield "mounts a token of Kubernetes' API"
    if spec.get("enableServiceLinks") is not False:
        yield "gets variables of every service, which the settings would refuse"
    if spec.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "runs without the runtime's seccomp profile"
    if spec.get("securityContext", {}).get("runAsNonRoot") is not True:
        yield "may run as root"
    if not spec.get("securityContext", {}).get("runAsUser"):
        yield "names no numeric user"
    for volume in spec.get("volumes", []):
        if strange := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {', '.join(strange)}"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} may fill the node"


def _container(container: Object) -> Iterator[str]:
    context: dict[str, Any] = container.get("securityContext", {})
    if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if context.get("capabilities", {}).get("add"):
        yield "adds capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its own file system"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "takes a port of the host"
    yield from _resources(container)
    yield from _credentials(container)


def _resources(container: Object) -> Iterator[str]:
    resources = container.get("resources", {})
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name not in resources.get("requests", {}):
            yield f"requests no {name}"
        if name != "cpu" and name not in resources.get("limits", {}):
            yield f"has no limit of {name}"


def _credentials(container: Object) -> Iterator[str]:
    for variable in container.get("env", []):
        if re.search(SENSITIVE_NAME, variable["name"].removeprefix(PREFIX).lower()) and (
            variable["name"].startswith(PREFIX)
        ):
            yield f"shows the secret {variable['name']} to whoever may read pods"
        if "secretKeyRef" in variable.get("valueFrom", {}):
            yield f"takes {variable['name']} from a Secret, not from Vault"
    if container.get("envFrom"):
        yield "takes variables that nobody has listed"
