"""What rendered manifests may hold: everything that could bring code is listed, or refused."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.admission import admitted, check_manifests
from delivery.errors import RefusedError
from delivery.git import Repository
from delivery.render import rendered
from delivery.stages import KUSTOMIZATION, STAGES, image_name
from support.project import manifest

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "a" * 64
OURS = f"{image_name('data-fetch')}@{DIGEST}"
KUSTOMIZED = manifest(dict.fromkeys(STAGES, DIGEST))
OTHER = "docker.io/mallory/evil@sha256:" + "b" * 64


def cron_job(container: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "a", "image": OURS} | (container or {})]} | pod
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "a"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
    }


def config_map(**files: str) -> dict[str, Any]:
    data = {name.replace("__", "."): text for name, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def analysis(**provider: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "a"},
        "spec": {"metrics": [{"name": "a", "provider": provider}]},
    }


def ingress(annotation: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a", "annotations": {annotation: "x"}},
        "spec": {"rules": []},
    }


def claim(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "a"},
        "spec": {"accessModes": ["ReadWriteOnce"]} | spec,
    }


def check(document: object) -> None:
    check_manifests(yaml.safe_dump(document), KUSTOMIZED)


GOOD = {
    "a stage's image": cron_job(),
    "a third party's by its digest": cron_job({"image": admitted["third_party"][0]}),
    "settings": config_map(pullrisk__toml='[spark]\nmaster = "local[*]"\n'),
    "what executors are made from": config_map(
        executor__yaml="spec:\n  containers: [{name: executor, resources: {}}]\n"
    ),
    "the image of executors": cron_job({"env": [{"name": "PULLRISK_SPARK__IMAGE", "value": OURS}]}),
    "an Ingress that asks for a certificate": ingress("cert-manager.io/cluster-issuer"),
    "a question to Prometheus": analysis(prometheus={"query": "up"}),
}


@pytest.mark.parametrize("what", GOOD)
def test_what_is_listed_is_admitted(what: str) -> None:
    check(GOOD[what])


CONF = '[spark.conf]\n"{}" = "x"\n'
BAD: dict[str, tuple[object, str]] = {
    "a proxy's configuration in an Ingress": (
        ingress("nginx.ingress.kubernetes.io/configuration-snippet"),
        "an Ingress has the annotation nginx.ingress.kubernetes.io/configuration-snippet",
    ),
    "a third party's other digest": (
        cron_job({"image": admitted["third_party"][0][:-4] + "0000"}),
        "the manifests run docker.io/locustio/locust@",
    ),
    "a third party's name in other letters": (
        cron_job({"image": OTHER.upper()}),
        "the manifests run DOCKER.IO",
    ),
    "an image in a container that is added to pods": (
        cron_job(ephemeralContainers=[{"name": "b", "image": OTHER}]),
        f"the manifests run {OTHER}",
    ),
    "an image volume": (
        cron_job(volumes=[{"name": "b", "image": {"reference": OTHER}}]),
        "a volume uses image",
    ),
    "a folder of the node": (
        cron_job(volumes=[{"name": "b", "hostPath": {"path": "/"}}]),
        "a volume uses hostPath",
    ),
    "an image of Spark in settings": (
        config_map(pullrisk__toml=f'[spark]\nimage = "{OTHER}"\n'),
        f"the manifests run {OTHER}",
    ),
    "an image of Spark by tag in its own configuration": (
        config_map(pullrisk__toml='[spark.conf]\nspark.kubernetes.container.image = "evil:1"\n'),
        "sets spark.kubernetes.container.image",
    ),
    "an image in what executors are made from": (
        config_map(executor__yaml="spec:\n  containers: [{name: a, image: 'evil:1'}]\n"),
        "the manifests run evil:1",
    ),
    "an image in JSON": (
        config_map(pod__json='{"spec": {"containers": [{"image": "evil:1"}]}}'),
        "the manifests run evil:1",
    ),
    "an image in a variable": (
        cron_job({"env": [{"name": "PULLRISK_SPARK__IMAGE", "value": OTHER}]}),
        f"the manifests run {OTHER}",
    ),
    "jars": (config_map(pullrisk__toml=CONF.format("spark.jars")), "sets spark.jars"),
    "a package": (
        config_map(pullrisk__toml=CONF.format("spark.jars.packages")),
        "sets spark.jars.packages",
    ),
    "Python files": (
        config_map(pullrisk__toml=CONF.format("spark.submit.pyFiles")),
        "sets spark.submit.pyFiles",
    ),
    "Java's options": (
        config_map(pullrisk__toml=CONF.format("spark.driver.extraJavaOptions")),
        "sets spark.driver.extraJavaOptions",
    ),
    "where Python looks": (
        cron_job({"env": [{"name": "PYTHONPATH", "value": "/tmp"}]}),
        "a container sets PYTHONPATH",
    ),
    "a library that is loaded first": (
        cron_job({"env": [{"name": "LD_PRELOAD", "value": "/tmp/a.so"}]}),
        "a container sets LD_PRELOAD",
    ),
    "variables of a ConfigMap": (
        cron_job({"envFrom": [{"configMapRef": {"name": "a"}}]}),
        "a container uses envFrom",
    ),
    "a ConfigMap over the code": (
        cron_job({"volumeMounts": [{"name": "b", "mountPath": "/app/lib"}]}),
        "a container mounts /app/lib",
    ),
    "a file over the code": (
        cron_job({"volumeMounts": [{"name": "b", "mountPath": "/tmp", "subPath": "a"}]}),
        "a mount uses subPath",
    ),
    "a volume that is filled from elsewhere": (
        claim(dataSourceRef={"apiGroup": "evil.example", "kind": "Image", "name": "a"}),
        "a claim uses dataSourceRef",
    ),
    "a volume that somebody has filled": (claim(volumeName="a"), "a claim uses volumeName"),
    "a command": (cron_job({"command": ["sh"]}), "a container uses command"),
    "a hook": (
        cron_job({"lifecycle": {"postStart": {"exec": {"command": ["sh"]}}}}),
        "a container uses lifecycle",
    ),
    "a probe that runs a command": (
        cron_job({"livenessProbe": {"exec": {"command": ["sh"]}, "periodSeconds": 1}}),
        "a livenessProbe uses exec",
    ),
    "a Job": (
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}},
        "the manifests hold batch/v1/Job",
    ),
    "a Secret": (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}},
        "the manifests hold v1/Secret",
    ),
    "a kind of another group": (
        {"apiVersion": "evil.example/v1", "kind": "CronJob", "metadata": {"name": "a"}},
        "the manifests hold evil.example/v1/CronJob",
    ),
    "an analysis that asks a page": (analysis(web={"url": "https://a"}), "an analysis asks web"),
    "a list": (["a"], "a document is no object"),
    "containers that are none": (cron_job(containers=["a"]), "where an object is expected"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_not_listed_is_refused(what: str) -> None:
    document, reason = BAD[what]
    with pytest.raises(RefusedError) as refusal:
        check(document)
    assert reason in str(refusal.value)


def test_a_claim_and_what_mounts_it_are_admitted() -> None:
    check(claim(resources={"requests": {"storage": "10Gi"}}, storageClassName="a"))
    volume = {"name": "b", "persistentVolumeClaim": {"claimName": "a"}}
    mount = {"name": "b", "mountPath": "/var/lib/pullrisk"}
    check(cron_job({"volumeMounts": [mount]}, volumes=[volume]))


def test_settings_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        check(config_map(pullrisk__toml="= ="))
    with pytest.raises(RefusedError, match="uses an anchor"):
        check(config_map(executor__yaml="a: &b 1\nc: *b\n"))


def test_the_clusters_admit_the_kinds_that_the_judge_admits() -> None:
    for cluster in ("staging", "production"):
        path = ROOT / "argo-apps" / "clusters" / cluster / "project.yaml"
        project = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        rules = project["clusterResourceWhitelist"] + project["namespaceResourceWhitelist"]
        own = {(rule["group"], rule["kind"]) for rule in rules}
        listed = [kind.rpartition("/") for kind in admitted["kinds"]]
        assert own == {(api.rpartition("/")[0], kind) for api, _, kind in listed}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_spark_on_pods_is_admitted_where_a_cluster_opts_in(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(clone)], check=True)
    for cluster in ("staging", "production"):
        overlay = clone / "argo-apps/overlays" / cluster / "kustomization.yaml"
        overlay.write_text(overlay.read_text() + "  - ../../components/spark-executors\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    subprocess.run(["git", "-C", str(clone), *who, "commit", "-qam", "Opt in"], check=True)
    repository = Repository(clone)
    commit = repository.commit("HEAD")
    manifests = rendered(repository, commit)
    check_manifests(manifests, repository.show(commit, KUSTOMIZATION) or "")
    assert "podTemplateFile" in manifests
