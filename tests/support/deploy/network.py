"""Network policies, evaluated as a cluster would, against what each stage has to reach.

What a stage needs follows from the code: the names of its secrets say which services it uses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from pullrisk.secrets.names import STAGES, Needs
from support.deploy.manifests import (
    NAMESPACE,
    SPARK_NAMESPACE,
    Object,
    Pod,
    Violation,
    of_kind,
    pods,
    selects,
)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a connection goes: labels of namespace and pod, or an address; and the port."""

    what: str
    port: int
    namespace: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    address: str | None = None
    protocol: str = "TCP"


def _in(namespace: str) -> dict[str, str]:
    return {"kubernetes.io/metadata.name": namespace}


DNS: Final = Place("names", 53, _in("kube-system"), {"k8s-app": "kube-dns"}, protocol="UDP")
VAULT: Final = Place("Vault", 8200, _in("vault"), {})
MONGO: Final = Place("MongoDB", 27017, _in("mongodb"), {})
MLFLOW: Final = Place("MLflow", 5000, _in("mlflow"), {})
INTERNET: Final = Place("the internet", 443, address="140.82.112.3")
SERVICE: Final = Place(
    "the service", 8080, _in(NAMESPACE), {"app.kubernetes.io/name": "model-serving"}
)
_PROBES: Final = 8081
"""The service's port of probes and metrics."""
API: Final = Place("Kubernetes' API, or any address of the cluster", 443, address="10.245.0.1")
NEVER: Final = (
    Place("the metadata of the node", 80, address="169.254.169.254"),
    Place("the metadata of the node", 443, address="169.254.169.254"),
    Place("plain HTTP in the cluster", 80, address="10.245.0.1"),
    Place("plain HTTP outside", 80, address="140.82.112.3"),
    Place("kubelets", 10250, address="10.110.0.4"),
    Place("Argo CD", 8080, _in("argocd"), {}),
)
_BATCH: Final = (
    (NAMESPACE, "data-fetch"),
    (SPARK_NAMESPACE, "spark-preprocess"),
    (NAMESPACE, "ml-training"),
)
EVERYWHERE: Final = (DNS, VAULT, MONGO, MLFLOW, INTERNET, SERVICE, API)
_USES: Final = {
    MONGO: ("mongo_uri",),
    MLFLOW: ("mlflow_uri",),
    INTERNET: ("github_token", "github_app_id", "do_spaces_endpoint"),
}
"""Which of a stage's secrets say that it uses a place."""


def needs(stage: str) -> set[Place]:
    """What a stage has to reach, by the secrets that it may ask for."""
    names = set(STAGES.get(stage, Needs()).names)
    return {place for place, used in _USES.items() if names.intersection(used)} | {DNS, VAULT}


def check(objects: Sequence[Object]) -> Iterator[Violation]:
    """Every pod: reaches all that it needs, and nothing else."""
    policies = of_kind(objects, "NetworkPolicy")
    denied = {each["metadata"]["namespace"] for each in policies if _denies_all(each)}
    for namespace in (NAMESPACE, SPARK_NAMESPACE):
        if namespace not in denied:
            yield Violation("network", namespace, "nothing is denied by default")
    for pod in pods(objects):
        needed = _wanted(pod, objects)
        for place in (*EVERYWHERE, *NEVER):
            may = reaches(policies, pod.namespace, pod.labels, place)
            if may != (place in needed):
                said = "cannot reach" if place in needed else "can reach, without need,"
                yield Violation("network", pod.where, f"{said} {place.what} :{place.port}")
    yield from _inwards(objects, policies)
    yield from _addresses(objects)


def _wanted(pod: Pod, objects: Sequence[Object]) -> set[Place]:
    if pod.labels.get("app.kubernetes.io/name") == "serving-analysis":
        return {DNS, VAULT, SERVICE}
    account = pod.spec.get("serviceAccountName", "")
    bound = {
        subject["name"]
        for binding in of_kind(objects, "RoleBinding")
        for subject in binding["subjects"]
    }
    return needs(account) | ({API} if account in bound else set())


def _inwards(objects: Sequence[Object], policies: Sequence[Object]) -> Iterator[Violation]:
    """Who may connect to the service; what ends TLS only where an Ingress leads there."""
    through = {SERVICE.port} if of_kind(objects, "Ingress") else set()
    proxy = {"app.kubernetes.io/name": "traefik"}
    service = SERVICE.labels or {}
    analysis = {"app.kubernetes.io/name": "serving-analysis"}
    for who, namespace, labels, ports in (
        ("Prometheus", _in("monitoring"), {}, {_PROBES}),
        ("a client", {"pullrisk/client": "true"}, {}, {SERVICE.port}),
        ("an analysis", _in(NAMESPACE), analysis, {SERVICE.port}),
        ("a batch stage", _in(NAMESPACE), {"app.kubernetes.io/name": "data-fetch"}, set()),
        ("Spark", _in(SPARK_NAMESPACE), {"app.kubernetes.io/name": "spark-preprocess"}, set()),
        ("the proxy of an Ingress", _in("traefik"), proxy, through),
        ("another pod beside the proxy", _in("traefik"), {}, set()),
        ("any other namespace", _in("default"), {}, set()),
    ):
        for port in (SERVICE.port, _PROBES):
            may = port in ports
            peer = Place(who, port, namespace, labels)
            if _allowed(policies, NAMESPACE, service, "ingress", peer) == may:
                continue
            said = f"{who} {'cannot reach' if may else 'can reach, without need,'} the service"
            yield Violation("network", "NetworkPolicy/model-serving", f"{said} at {port}")
    for place, stage in _BATCH:
        peer = Place("a client", 8080, {"pullrisk/client": "true"}, {})
        if _allowed(policies, place, {"app.kubernetes.io/name": stage}, "ingress", peer):
            yield Violation("network", f"NetworkPolicy/{stage}", "takes connections")


def _addresses(objects: Sequence[Object]) -> Iterator[Violation]:
    """The addresses that stand in manifests are those that the policies mean."""
    for pod in pods(objects):
        for container in pod.containers:
            for variable in container.get("env", []):
                if variable["name"] != "VAULT_ADDR":
                    continue
                address = urlsplit(variable.get("value", ""))
                _, _, namespace = (address.hostname or "").partition(".")
                if (namespace.partition(".")[0], address.port) != ("vault", VAULT.port):
                    why = f"VAULT_ADDR is {variable.get('value')}, which no policy lets through"
                    yield Violation("network", pod.where, why)


def reaches(
    policies: Sequence[Object], namespace: str, labels: dict[str, str], place: Place
) -> bool:
    """Whether a pod of this namespace with these labels may open a connection to a place."""
    if not _allowed(policies, namespace, labels, "egress", place):
        return False
    there = (place.namespace or {}).get("kubernetes.io/metadata.name", "")
    if there not in (NAMESPACE, SPARK_NAMESPACE) or place.labels is None:
        return True
    source = Place("the pod", place.port, _in(namespace), labels)
    return _allowed(policies, there, place.labels, "ingress", source)


def _allowed(
    policies: Sequence[Object], namespace: str, labels: dict[str, str], way: str, peer: Place
) -> bool:
    own = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == namespace
        and selects(policy["spec"]["podSelector"].get("matchLabels"), labels)
        and way.capitalize() in policy["spec"]["policyTypes"]
    ]
    rules = [rule for spec in own for rule in spec.get(way, [])]
    return not own or any(_rule(rule, namespace, way, peer) for rule in rules)


def _rule(rule: dict[str, Any], namespace: str, way: str, peer: Place) -> bool:
    ports = rule.get("ports")
    if ports is not None and not any(
        (port.get("protocol", "TCP"), port.get("port")) == (peer.protocol, peer.port)
        or (port.get("protocol", "TCP") == peer.protocol and "port" not in port)
        for port in ports
    ):
        return False
    peers = rule.get("to" if way == "egress" else "from")
    return peers is None or any(_peer(one, namespace, peer) for one in peers)


def _peer(allowed: dict[str, Any], namespace: str, peer: Place) -> bool:
    if "ipBlock" in allowed:
        if peer.address is None:
            return False
        address = ip_address(peer.address)
        inside = address in ip_network(allowed["ipBlock"]["cidr"])
        return inside and not any(
            address in ip_network(block) for block in allowed["ipBlock"].get("except", [])
        )
    if peer.namespace is None:
        return False
    spaces = allowed.get("namespaceSelector")
    own = _in(namespace) if spaces is None else spaces.get("matchLabels")
    return selects(own, peer.namespace) and selects(
        allowed.get("podSelector", {}).get("matchLabels"), peer.labels or {}
    )


def _denies_all(policy: Object) -> bool:
    spec = policy["spec"]
    return spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"}
