"""What one object says of another: names, selectors, ports, service accounts, images, kinds."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from support.deploy import argo_cd
from support.deploy.manifests import (
    NAMESPACE,
    SPARK_NAMESPACE,
    STAGES,
    Object,
    Violation,
    name_of,
    of_kind,
    pods,
    selects,
    values_at,
)

DIGEST: Final = re.compile(r"[a-z0-9./_-]+@sha256:[0-9a-f]{64}")
OWN: Final = tuple(f"registry.digitalocean.com/pullrisk/{stage}@" for stage in STAGES)
OTHERS: Final = ("docker.io/locustio/locust@",)
"""Images that this repository does not build."""
WEBHOOKS: Final = ("/webhooks/github", "Exact")
"""The one path that GitHub needs."""
CLUSTER: Final = {"Namespace"}
MADE_ELSEWHERE: Final = {"kube-root-ca.crt", "authorities"}
"""ConfigMaps that Kubernetes and bootstrap.sh make; no sync takes them away."""
_HASHED: Final = re.compile(r"-[bcdfghkmt2456789]{10}$")
"""The end of a name to which kustomize added a hash of the content."""


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """All cross-references; the names of rules are those of the functions."""
    rules = (names, images, services, ingresses, accounts, config_maps, mounts, scaling, analyses)
    for rule in rules:
        for where, why in rule(objects):
            yield Violation(rule.__name__, where, why)


def names(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """No object twice, all in the namespaces of this project."""
    seen = set()
    for manifest in objects:
        namespace = manifest["metadata"].get("namespace")
        if (namespace, name_of(manifest)) in seen:
            yield name_of(manifest), "is there twice"
        seen.add((namespace, name_of(manifest)))
        if manifest["kind"] in argo_cd.KINDS or manifest["kind"] in CLUSTER:
            continue
        if namespace not in (NAMESPACE, SPARK_NAMESPACE):
            yield name_of(manifest), f"is in namespace {namespace}"


def images(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """By digest, from the registry of this project, or one that is listed here."""
    for pod in pods(objects):
        for image in values_at(pod.containers, "image"):
            if not DIGEST.fullmatch(image):
                yield pod.where, f"{image} is no digest"
            elif not image.startswith(OWN + OTHERS):
                yield pod.where, f"{image} is of an unknown registry"


def services(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """A service selects pods of one stage, and leads to a port that they have."""
    for service in of_kind(objects, "Service"):
        selected = [
            pod for pod in pods(objects) if selects(service["spec"]["selector"], pod.labels)
        ]
        if len(selected) != 1:
            yield name_of(service), f"selects {len(selected)} kinds of pods"
            continue
        known = {
            key
            for entry in values_at(selected[0].containers, "ports")
            for key in (entry.get("name"), entry["containerPort"])
        }
        for port in service["spec"]["ports"]:
            if port.get("targetPort", port["port"]) not in known:
                yield name_of(service), f"leads to port {port.get('targetPort')}: nobody listens"


def ingresses(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """An Ingress leads to a port of a service, with TLS; only that of the pages to every path."""
    known = {
        (service["metadata"]["name"], port["name"])
        for service in of_kind(objects, "Service")
        for port in service["spec"]["ports"]
    }
    for ingress in of_kind(objects, "Ingress"):
        spec, secured = ingress["spec"], [*values_at(ingress["spec"].get("tls", []), "hosts")]
        for rule in spec["rules"]:
            if rule.get("host") not in secured:
                yield name_of(ingress), f"host {rule.get('host')} has no TLS"
            for path in rule["http"]["paths"]:
                to = path["backend"]["service"]
                if (to["name"], to["port"].get("name")) not in known:
                    yield name_of(ingress), f"leads to {to}: nobody listens"
                whole = (path["path"], path["pathType"])
                if name_of(ingress) != "Ingress/pages" and whole != WEBHOOKS:
                    yield name_of(ingress), f"leads {path['path']} into the service"


def accounts(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """Each pod has a service account of its own stage, none the default one."""
    made = [one["metadata"] for one in of_kind(objects, "ServiceAccount")]
    known = {one["name"] for one in made}
    there = {(one.get("namespace"), one["name"]) for one in made}
    used = set()
    for pod in pods(objects):
        account = pod.spec.get("serviceAccountName", "default")
        used.add(account)
        if (pod.namespace, account) not in there:
            yield pod.where, f"runs as {account}, which is not there"
    used |= {template["spec"]["serviceAccountName"] for template in executors(objects)}
    for account in sorted(known - used):
        yield f"ServiceAccount/{account}", "is used by nobody"
    for service_account in of_kind(objects, "ServiceAccount"):
        if service_account.get("automountServiceAccountToken") is not False:
            yield name_of(service_account), "hands a token of Kubernetes' API to every pod"
    for binding in of_kind(objects, "RoleBinding"):
        yield from _binding(binding, objects, known)
    for role in of_kind(objects, "Role"):
        yield from ((name_of(role), why) for why in _made_beside(role, objects))


def _made_beside(role: Object, objects: Sequence[Object]) -> Iterator[str]:
    """Who may make pods may run them as every account of the namespace."""
    may_make = any(
        "pods" in rule["resources"] and {"create", "*"} & set(rule["verbs"])
        for rule in role["rules"]
    )
    for account in of_kind(objects, "ServiceAccount") if may_make else ():
        if account["metadata"].get("namespace") != role["metadata"].get("namespace"):
            continue
        if not account["metadata"]["name"].startswith("spark-"):
            yield f"makes pods that may run as {account['metadata']['name']}"


def executors(objects: Sequence[Object]) -> Iterator[Object]:
    """The templates from which Spark makes pods of its own."""
    for config_map in of_kind(objects, "ConfigMap"):
        if "executor.yaml" in config_map.get("data", {}):
            yield yaml.safe_load(config_map["data"]["executor.yaml"])


def _binding(
    binding: Object, objects: Sequence[Object], known: set[str]
) -> Iterator[tuple[str, str]]:
    roles = {one["metadata"]["name"] for one in of_kind(objects, "Role")}
    if binding["roleRef"]["name"] not in roles:
        yield name_of(binding), f"binds {binding['roleRef']['name']}, which is not there"
    for subject in binding["subjects"]:
        own = binding["metadata"].get("namespace")
        if subject["name"] not in known or subject.get("namespace") != own:
            yield name_of(binding), f"binds {subject['name']}, which is not there"


def config_maps(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """Each one that is mounted is there and stays there, and each is mounted."""
    maps = [one["metadata"] for one in of_kind(objects, "ConfigMap")]
    known = {one["name"] for one in maps}
    there = {(one.get("namespace"), one["name"]) for one in maps}
    used = set()
    for pod in pods(objects):
        for name in _mounted(pod.spec) - MADE_ELSEWHERE:
            used.add(name)
            if (pod.namespace, name) not in there:
                yield pod.where, f"mounts {name}, which is not there"
            if pod.owner["kind"] == "Rollout":
                yield pod.where, f"needs {name}, which pruning takes from pods of older versions"
            elif _HASHED.search(name):
                yield pod.where, f"needs {name}, which pruning takes from runs that are tried again"
        yield from ((pod.where, why) for why in _volumes(pod.spec))
    for name in sorted(known - used):
        if "grafana_dashboard" not in _labels(objects, name):
            yield f"ConfigMap/{name}", "is mounted by nobody"


def _mounted(spec: Object) -> set[str]:
    plain = values_at(spec.get("volumes", []), "configMap", "name")
    projected = values_at(spec.get("volumes", []), "projected", "sources", "configMap", "name")
    return {*plain, *projected}


def _labels(objects: Sequence[Object], name: str) -> dict[str, str]:
    config_maps = [one for one in of_kind(objects, "ConfigMap") if one["metadata"]["name"] == name]
    return dict(config_maps[0]["metadata"].get("labels", {}))


def _volumes(spec: Object) -> Iterator[str]:
    there = {volume["name"] for volume in spec.get("volumes", [])}
    used = set(values_at(spec["containers"], "volumeMounts", "name"))
    if used != there:
        yield f"volumes {sorted(used ^ there)} are mounted or there, not both"


def mounts(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """No two volumes at one path, in pods and in those that Spark makes: the API refuses them."""
    for pod in pods(objects):
        for container in pod.containers:
            yield from ((pod.where, why) for why in _twice(container))
    for template in executors(objects):
        for container in template["spec"]["containers"]:
            # Spark mounts a directory of its own unless it knows one by its name.
            own = [{"mountPath": "/tmp", "name": "spark-local-dir-1"}]
            names = values_at(container.get("volumeMounts", []), "name")
            known = any(name.startswith("spark-local-dir-") for name in names)
            mounted = container.get("volumeMounts", []) + ([] if known else own)
            for why in _twice({"name": container["name"], "volumeMounts": mounted}):
                yield "executor.yaml", why


def _twice(container: Object) -> Iterator[str]:
    paths = [str(each["mountPath"]).rstrip("/") for each in container.get("volumeMounts", [])]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield f"{container['name']} mounts two volumes at {path}"


def scaling(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """The autoscaler's target and the disruption budget's pods are there."""
    for manifest in of_kind(objects, "HorizontalPodAutoscaler"):
        target = manifest["spec"]["scaleTargetRef"]
        target_name = f"{target['kind']}/{target['name']}"
        scaled = [each for each in objects if name_of(each) == target_name]
        if not scaled:
            yield name_of(manifest), f"scales {target_name}, which is not there"
        elif "replicas" in scaled[0]["spec"]:
            yield name_of(scaled[0]), "fixes its replicas, which are the autoscaler's"
    for manifest in of_kind(objects, "PodDisruptionBudget"):
        selector = manifest["spec"]["selector"]["matchLabels"]
        if not any(selects(selector, pod.labels) for pod in pods(objects)):
            yield name_of(manifest), "protects no pod"


def analyses(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """A roll-out's services and templates are there, with every argument that they need."""
    templates = {one["metadata"]["name"]: one for one in of_kind(objects, "AnalysisTemplate")}
    known = {one["metadata"]["name"] for one in of_kind(objects, "Service")}
    for rollout in of_kind(objects, "Rollout"):
        strategy = rollout["spec"]["strategy"]["blueGreen"]
        for service in (strategy["activeService"], strategy.get("previewService")):
            if service not in known:
                yield name_of(rollout), f"service {service} is not there"
        for when in ("prePromotionAnalysis", "postPromotionAnalysis"):
            for why in _analysis(strategy.get(when, {}), templates):
                yield name_of(rollout), f"{when}: {why}"


def _analysis(analysis: Object, templates: dict[str, Any]) -> Iterator[str]:
    given = {one["name"] for one in analysis.get("args", [])}
    for template in values_at(analysis.get("templates", []), "templateName"):
        if template not in templates:
            yield f"{template} is not there"
            continue
        for argument in templates[template]["spec"].get("args", []):
            if "value" not in argument and argument["name"] not in given:
                yield f"{template} needs {argument['name']}"
