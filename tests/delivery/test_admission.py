"""What rendered manifests may hold: everything that could bring code is listed, or refused."""

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.admission import check_manifests
from delivery.admitted import admitted
from delivery.errors import RefusedError
from delivery.git import Repository
from delivery.render import rendered
from delivery.sources import load_tests
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


def variable(name: str, value: str) -> dict[str, Any]:
    return cron_job({"env": [{"name": name, "value": value}]})


def binary(name: str, content: bytes) -> dict[str, Any]:
    return config_map() | {"data": {}, "binaryData": {name: base64.b64encode(content).decode()}}


def locust(*args: str) -> dict[str, Any]:
    return cron_job({"image": admitted["third_party"][0], "args": [*args]})


CODE = "from locust import HttpUser\n"


def check(document: object) -> None:
    check_manifests(yaml.safe_dump(document), KUSTOMIZED, {CODE})


GOOD = {
    "a stage's image": cron_job(),
    "a third party's by its digest": cron_job({"image": admitted["third_party"][0]}),
    "settings": config_map(pullrisk__toml='[spark]\nmaster = "local[*]"\n'),
    "what executors are made from": config_map(
        executor__yaml="spec:\n  containers: [{name: executor, resources: {}}]\n"
    ),
    "the image of executors": cron_job({"env": [{"name": "PULLRISK_SPARK__IMAGE", "value": OURS}]}),
    "an Ingress that asks for a certificate": ingress("cert-manager.io/cluster-issuer"),
    "settings in variables": variable("PULLRISK_SERVE__BOTS", '["a"]'),
    "a variable that is the pod's address": cron_job(
        {"env": [{"name": "PULLRISK_A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}
    ),
    "a packed sample": binary("pulls.jsonl.gz", gzip.compress(b"{}")),
    "one word": config_map(version="general"),
    "code of tests/performance": config_map(locustfile__py=CODE),
    "a load test": locust(
        *("--headless", "--locustfile", "/load/tests/performance/locustfile.py"),
        *("--host", "{{args.service}}", "--users", "8", "--run-time", "60s"),
    ),
    "a file of another ConfigMap under its own name": cron_job(
        volumes=[{"name": "b", "configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}]}}]
    ),
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
    "an image of Spark by tag in a variable": (
        variable("PULLRISK_SPARK__IMAGE", "docker.io/mallory/evil:1"),
        "the manifests run docker.io/mallory/evil:1",
    ),
    "an image in a variable in other letters": (
        variable("PULLRISK_spark__Image", "evil:1"),
        "the manifests run evil:1",
    ),
    "all of Spark in one variable": (
        variable("PULLRISK_SPARK", json.dumps({"image": "evil:1"})),
        "the manifests run evil:1",
    ),
    "jars in a variable": (
        variable("PULLRISK_SPARK__CONF", json.dumps({"spark.jars": "https://a/b.jar"})),
        "PULLRISK_SPARK__CONF sets spark.jars",
    ),
    "one property of Spark in a variable": (
        variable("PULLRISK_SPARK__CONF__spark.jars", "https://a/b.jar"),
        "sets spark.jars",
    ),
    "the code of another driver": (
        cron_job({"args": ["executor", "--driver-url", "spark://a@b:1"]}),
        "a container is told to executor",
    ),
    "an option before the command": (
        cron_job({"args": ["--config", "/tmp/a", "fetch"]}),
        "a container is told to --config",
    ),
    "a variable from a ConfigMap": (
        cron_job(
            {
                "env": [
                    {
                        "name": "PULLRISK_SPARK__IMAGE",
                        "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}},
                    }
                ]
            }
        ),
        "PULLRISK_SPARK__IMAGE has a value from elsewhere",
    ),
    "a variable from the pod's own annotation": (
        cron_job(
            {
                "env": [
                    {
                        "name": "PULLRISK_SPARK__IMAGE",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a']"}},
                    }
                ]
            }
        ),
        "PULLRISK_SPARK__IMAGE has a value from elsewhere",
    ),
    "a variable made from another one": (
        variable("PULLRISK_SPARK", "$(PULLRISK_FETCH__CLONE)"),
        "puts a variable into $(PULLRISK_FETCH__CLONE)",
    ),
    "an argument made from a variable": (
        cron_job({"args": ["serve", "--model", "$(PULLRISK_A)"]}),
        "puts a variable into $(PULLRISK_A)",
    ),
    "settings in a file of another name": (
        config_map(pullrisk__conf='[spark]\nimage = "evil:1"\n'),
        "a/pullrisk.conf is a file that the judge does not read",
    ),
    "settings in a file of other letters": (
        config_map(pullrisk__TOML='[spark]\nimage = "evil:1"\n'),
        "a/pullrisk.TOML is a file that the judge does not read",
    ),
    "settings in what looks like YAML to others": (
        config_map(executor__yaml='spark.image = "evil:1"\n'),
        "the manifests run evil:1",
    ),
    "settings and what executors are made from in one": (
        config_map(
            executor__yaml='k = """: |\n  a\nkind: Pod\nx: |\n  """\n  spark.image = "evil:1"\n'
        ),
        "the manifests run evil:1",
    ),
    "settings as bytes": (
        binary("pullrisk.toml", b'[spark]\nimage = "evil:1"\n'),
        "a/pullrisk.toml is a file that the judge does not read",
    ),
    "settings as bytes by the sample's name": (
        binary("pulls.jsonl.gz", b'[spark]\nimage = "evil:1"\n'),
        "a/pulls.jsonl.gz is a file that the judge does not read",
    ),
    "a file under another name": (
        cron_job(
            volumes=[{"name": "b", "configMap": {"items": [{"key": "a.py", "path": "a.toml"}]}}]
        ),
        "a volume has a.py as a.toml",
    ),
    "a file of several under another name": (
        cron_job(
            volumes=[
                {
                    "name": "b",
                    "projected": {
                        "sources": [{"configMap": {"items": [{"key": "a", "path": "b.toml"}]}}]
                    },
                }
            ]
        ),
        "a volume has a as b.toml",
    ),
    "a file from the pod's own annotation": (
        cron_job(volumes=[{"name": "b", "projected": {"sources": [{"downwardAPI": {}}]}}]),
        "a projected volume uses downwardAPI",
    ),
    "code that nobody looked at": (
        config_map(locustfile__py="import os\n"),
        "a/locustfile.py is code that tests/performance has not",
    ),
    "a load test from elsewhere": (
        locust("--headless", "--locustfile", "https://example.com/a.py"),
        "is told --locustfile https://example.com/a.py",
    ),
    "a load test from elsewhere, in short": (locust("-f", "https://a/a.py"), "is told -f"),
    "a load test from elsewhere, in one word": (
        locust("--locustfile=https://a/a.py"),
        "is told --locustfile=https://a/a.py",
    ),
    "a load test from elsewhere, behind a number": (
        locust("--users", "8 -f https://a/a.py"),
        "is told --users 8 -f https://a/a.py",
    ),
    "what executors are made from, from elsewhere": (
        config_map(
            pullrisk__toml=CONF.format("spark.kubernetes.executor.podTemplateFile").replace(
                '"x"', '"https://a/pod.yaml"'
            )
        ),
        "sets spark.kubernetes.executor.podTemplateFile to https://a/pod.yaml",
    ),
    "Spark of somebody else": (
        config_map(pullrisk__toml='[spark]\nmaster = "spark://a:7077"\n'),
        "sets master to spark://a:7077",
    ),
    "Spark of somebody else in a variable": (
        variable("PULLRISK_SPARK__MASTER", "k8s://https://a:443"),
        "sets master to k8s://https://a:443",
    ),
    "hosts of its own": (
        cron_job(hostAliases=[{"ip": "192.0.2.1", "hostnames": ["vault.vault.svc"]}]),
        "a pod uses hostAliases",
    ),
    "the node's processes": (cron_job(hostPID=True), "a pod uses hostPID"),
    "another runtime": (cron_job(runtimeClassName="a"), "a pod uses runtimeClassName"),
    "a volume that is none": (cron_job(volumes=[{"configMap": "a"}]), "cannot be read"),
    "variables that are none": (
        cron_job({"env": [{"name": "PULLRISK_A", "valueFrom": "a"}]}),
        "cannot be read",
    ),
    "files that are none": (config_map() | {"data": ["a"]}, "cannot be read"),
    "bytes that are none": (config_map() | {"binaryData": {"a": 7}}, "cannot be read"),
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
    kustomization = repository.show(commit, KUSTOMIZATION) or ""
    check_manifests(manifests, kustomization, load_tests(repository, commit))
    assert "podTemplateFile" in manifests
