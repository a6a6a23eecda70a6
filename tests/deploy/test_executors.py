"""components/spark-executors: Spark's own pods, made by the real driver and run as processes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import kubernetes_validate
import pytest

pytest.importorskip("pyspark", reason="the extra spark is not installed")

from pullrisk.options import SparkOptions
from support.deploy import network, security
from support.deploy.manifests import (
    NAMESPACE,
    SPARK_NAMESPACE,
    Object,
    Pod,
    of_kind,
    pods,
    render_with,
)
from support.deploy.pods_api import PodsApi
from support.deploy.program import settings_of
from support.deploy.references import executors
from support.deploy.schema import OLDEST
from support.deploy.vault import AUTHORITY
from support.sample import sample_pulls
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed

TOKEN = "token-of-the-driver"
QUICK = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
EXECUTOR = {"app.kubernetes.io/name": "spark-executor", "app.kubernetes.io/part-of": "pullrisk"}


@pytest.fixture(scope="module")
def component() -> list[Object]:
    return render_with("spark-executors")


def driver_of(objects: list[Object]) -> Pod:
    return next(pod for pod in pods(objects) if pod.where == "CronJob/spark-preprocess")


def spark_of(objects: list[Object]) -> SparkOptions:
    """The driver's settings, from its variables and its file."""
    return settings_of(driver_of(objects), objects).spark


class Run(NamedTuple):
    """A run of the driver that has ended, and the API that it asked."""

    code: int
    output: str
    errors: str
    api: PodsApi
    logs: str
    """Of its executors."""

    @property
    def pods(self) -> list[Object]:
        return list(self.api.pods.values())


@dataclass
class Lab:
    """A store with 60 pull requests, an empty bucket, and a folder for the driver."""

    folder: Path
    store: str
    s3: Seaweed

    def drive(self, component: list[Object], template: Object, *, lake: str) -> Run:
        """`pullrisk preprocess --engine spark` with the component's settings, on this machine."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        java = str(Path(os.path.realpath(shutil.which("java") or "")).parents[1])
        own = {"JAVA_HOME": java, "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
        with PodsApi(folder, own, component, "spark-preprocess") as api:
            (folder / "token").write_text(TOKEN)
            (folder / "executor.json").write_text(json.dumps(template))
            (folder / "pullrisk.toml").write_text(here(component, folder, api.url))
            done = subprocess.run(
                [sys.executable, "-m", "pullrisk", "preprocess", "--engine", "spark", "--json"],
                cwd=folder,
                env={
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    **own,
                    # as in the image: where Spark's local directory is
                    "SPARK_LOCAL_DIRS": "/tmp",
                    "PULLRISK_LOG_FORMAT": "json",
                    "PULLRISK_CONFIG": str(folder / "pullrisk.toml"),
                    # inside Kubernetes, where credentials come from Vault alone unless allowed
                    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                    "PULLRISK_ALLOW_LOCAL_SECRETS": "true",
                    "PULLRISK_STORE": self.store,
                    "PULLRISK_LAKE": f"s3://{BUCKET}/{lake}",
                    "PULLRISK_S3__ENDPOINT": self.s3.endpoint,
                    "PULLRISK_S3__ACCESS_KEY": ACCESS_KEY,
                    "PULLRISK_S3__SECRET_KEY": SECRET_KEY,
                },
                capture_output=True,
                text=True,
            )
            logs = "".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
            return Run(done.returncode, done.stdout, done.stderr, api, logs)


@pytest.fixture(scope="module")
def lab(mongo_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: apt-get install openjdk-17-jre-headless")
    from pullrisk.pulls.mongo import MongoStore

    folder = tmp_path_factory.mktemp("executors")
    uri = f"{mongo_server.rstrip('/')}/pullrisk_test_executors"
    with MongoStore(uri) as store:
        store.upsert(sample_pulls(60))
    with Seaweed(folder / "s3") as s3:
        yield Lab(folder, uri, s3)


@pytest.fixture(scope="module")
def refused(component: list[Object], lab: Lab) -> Run:
    """A run whose executors mount a second volume at Spark's own place; nothing is written."""
    (template,) = executors(component)
    text = json.dumps(template).replace("spark-local-dir-1", "scratch")
    return lab.drive(component, json.loads(text), lake="refused")


@pytest.fixture(scope="module")
def ran(component: list[Object], lab: Lab) -> Run:
    """A run that comes to its end."""
    (template,) = executors(component)
    run = lab.drive(component, template, lake="lake")
    assert run.code == 0, f"{run.output}\n{run.errors[-3000:]}\n{run.api.refused}\n{run.logs}"
    return run


def here(component: list[Object], folder: Path, url: str) -> str:
    """The component's own settings, with this machine's addresses and a smaller executor."""
    spark = spark_of(component).model_dump(exclude_none=True)
    conf = spark.pop("conf") | {
        "spark.kubernetes.executor.podTemplateFile": str(folder / "executor.json"),
        "spark.kubernetes.authenticate.oauthTokenFile": str(folder / "token"),
        "spark.driver.port": "0",
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
        "spark.blockManager.port": "0",
        # this stand-in of the API answers questions and tells no news of itself
        "spark.kubernetes.executor.enableApiWatcher": "false",
        "spark.kubernetes.executor.apiPollingInterval": "1s",
        "spark.kubernetes.allocation.batch.delay": "200ms",
    }
    del conf["spark.kubernetes.authenticate.caCertFile"]
    spark |= {"master": f"k8s://{url}", "driver_host": "127.0.0.1", "executors": 1}
    spark |= {"executor_cores": 1, "executor_memory": "512m", "driver_memory": "512m"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in spark.items()]
    lines += ["[spark.conf]", *(f"{json.dumps(n)} = {json.dumps(v)}" for n, v in conf.items())]
    return "\n".join(["[spark]", *lines, ""])


def test_the_driver_s_image_is_that_of_its_executors(component: list[Object]) -> None:
    assert spark_of(component).image == driver_of(component).containers[0]["image"]


def test_driver_and_executors_have_a_namespace_of_their_own(component: list[Object]) -> None:
    assert spark_of(component).namespace == driver_of(component).namespace == SPARK_NAMESPACE
    there = [
        one for one in component if one["metadata"].get("namespace", NAMESPACE) == SPARK_NAMESPACE
    ]
    accounts = {one["metadata"]["name"] for one in of_kind(there, "ServiceAccount")}
    assert accounts == {"spark-preprocess", "spark-executor"}
    roles = of_kind(component, "Role", "RoleBinding")
    assert {one["metadata"]["namespace"] for one in roles} == {SPARK_NAMESPACE}


def test_the_quota_holds_a_run_by_hand_beside_the_scheduled_one(component: list[Object]) -> None:
    (quota,) = of_kind(component, "ResourceQuota")
    hard, spark = quota["spec"]["hard"], spark_of(component)
    (driver,) = driver_of(component).containers
    overhead = spark.conf["spark.executor.memoryOverhead"]
    executor = gib(f"{spark.executor_memory}i") + gib(f"{overhead}i")
    runs, count = 2, spark.executors or 0
    assert int(hard["pods"]) >= runs * (1 + count)
    cores = int(spark.conf["spark.kubernetes.executor.request.cores"])
    own = driver["resources"]
    assert int(hard["requests.cpu"]) >= runs * (int(own["requests"]["cpu"]) + cores * count)
    for kind in ("requests", "limits"):
        needed = runs * (gib(own[kind]["memory"]) + executor * count)
        assert gib(hard[f"{kind}.memory"]) >= needed


def gib(quantity: str) -> int:
    """Gibibytes of a quantity in Gi."""
    assert quantity.lower().endswith("gi")
    return int(quantity[:-2])


def test_executors_know_mongodb_s_certificate_as_their_driver_does(component: list[Object]) -> None:
    (template,) = executors(component)
    (container,) = template["spec"]["containers"]
    places = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert places[str(PurePosixPath(AUTHORITY).parent)] == "authorities"
    volumes = {one["name"]: one for one in template["spec"]["volumes"]}
    assert volumes["authorities"]["configMap"]["name"] == "authorities"


def test_executors_replay_what_the_driver_commits(ran: Run) -> None:
    report = json.loads(ran.output)
    assert report["version"] == 0
    assert [one["status"] for one in report["repositories"]] == ["new"]
    assert report["repositories"][0]["pulls"] == 60
    assert len(ran.pods) == 1


def test_executors_go_when_their_driver_goes(ran: Run) -> None:
    for made in ran.pods:
        (owner,) = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Pod", "uid-of-the-driver")
        assert owner["controller"] is True


def test_the_driver_shows_its_own_token_and_no_other(ran: Run) -> None:
    assert ran.api.tokens == {f"Bearer {TOKEN}"}


def test_an_executor_s_pod_is_valid_and_restricted(ran: Run) -> None:
    for made in ran.pods:
        kubernetes_validate.validate(made, OLDEST, strict=True)
        pod = Pod(made, made["metadata"]["labels"], made["spec"])
        # Spark's own folder, which the limit of ephemeral storage holds
        found = [why for why in security.faults(pod) if not why.endswith("may fill the node")]
        assert found == []


def test_an_executor_has_no_account_s_rights_and_no_credential_of_a_stage(
    ran: Run, component: list[Object]
) -> None:
    for made in ran.pods:
        assert made["spec"]["serviceAccountName"] == "spark-executor"
        assert made["metadata"]["labels"].items() >= EXECUTOR.items()
        assert SECRET_KEY not in json.dumps(made)
        assert "mongodb://" not in json.dumps(made)
        assert made["spec"]["containers"][0]["image"] == spark_of(component).image
        assert made["spec"]["containers"][0]["args"] == ["executor"]
    bound = [
        subject["name"] for one in of_kind(component, "RoleBinding") for subject in one["subjects"]
    ]
    assert bound == ["spark-preprocess"]


def test_executors_reach_their_driver_the_store_and_the_bucket_and_nothing_else(
    component: list[Object],
) -> None:
    policies = of_kind(component, "NetworkPolicy")
    inside = {"kubernetes.io/metadata.name": SPARK_NAMESPACE}
    conf = spark_of(component).conf
    own = {"app.kubernetes.io/name": "spark-preprocess"}
    driver = [
        network.Place("the driver", int(conf[name]), inside, own)
        for name in ("spark.driver.port", "spark.blockManager.port")
    ]
    wanted = [network.DNS, network.MONGO, network.INTERNET, *driver]
    spark = SPARK_NAMESPACE
    for place in (*network.EVERYWHERE, *network.NEVER, *driver):
        assert network.reaches(policies, spark, EXECUTOR, place) == (place in wanted), place.what
    blocks = network.Place("an executor", int(conf["spark.blockManager.port"]), inside, EXECUTOR)
    assert network.reaches(policies, spark, own, blocks)
    serving = {"app.kubernetes.io/name": "model-serving"}
    assert not network.reaches(policies, NAMESPACE, serving, driver[0])


def test_executors_are_told_the_address_of_their_own_driver_s_pod(component: list[Object]) -> None:
    (container,) = driver_of(component).containers
    (host,) = [one for one in container["env"] if one["name"] == "PULLRISK_SPARK__DRIVER_HOST"]
    assert host["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    conf = spark_of(component).conf
    assert {port["containerPort"] for port in container["ports"]} == {
        int(conf["spark.driver.port"]),
        int(conf["spark.blockManager.port"]),
    }
    assert [one["metadata"]["name"] for one in of_kind(component, "Service")] == [
        "model-serving",
        "model-serving-preview",
    ]


def test_the_token_of_the_api_outlives_the_longest_run(component: list[Object]) -> None:
    cron = next(
        one
        for one in of_kind(component, "CronJob")
        if one["metadata"]["name"] == "spark-preprocess"
    )
    spec = cron["spec"]["jobTemplate"]["spec"]
    driver = next(pods([cron]))
    (volume,) = [one for one in driver.spec["volumes"] if one["name"] == "kubernetes-token"]
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token["expirationSeconds"] > spec["activeDeadlineSeconds"]
    (template,) = executors(component)
    assert template["spec"]["activeDeadlineSeconds"] <= spec["activeDeadlineSeconds"]
    assert "audience" not in token


def test_the_settings_ask_for_encrypted_messages(component: list[Object]) -> None:
    conf = spark_of(component).conf
    assert conf["spark.authenticate"] == conf["spark.network.crypto.enabled"] == "true"


def test_a_refused_executor_s_reason_is_in_the_stage_s_error(refused: Run) -> None:
    assert refused.code != 0
    assert any("must be unique" in why for why in refused.api.refused)
    assert "must be unique" in refused.errors
    assert "Kubernetes refused its pods" in refused.errors


def test_spark_s_lines_are_json_where_the_log_is(refused: Run) -> None:
    # the JVM's own first line; the image's Java says nothing (images/spark_submit.py)
    own = "WARNING: Using incubator modules"
    lines = [line for line in refused.errors.splitlines() if not line.startswith(own)]
    assert lines
    told = [json.loads(line) for line in lines]
    assert any(one.get("logger", "").startswith("spark.") for one in told)
    assert all({"time", "level", "event"} <= one.keys() for one in told)


def test_the_driver_asks_for_what_its_role_allows_and_for_nothing_else(ran: Run) -> None:
    assert ran.api.refused == []
    for_an_executor_that_is_lost = {("delete", "pods"), ("patch", "pods")}
    assert ran.api.allowed - ran.api.requests <= for_an_executor_that_is_lost
    assert ("deletecollection", "services") in ran.api.requests


def test_executors_are_named_after_their_driver_and_told_its_host(ran: Run) -> None:
    for made in ran.pods:
        assert made["metadata"]["name"].startswith(f"{ran.api.driver}-exec-")
        variables = {one["name"]: one.get("value") for one in made["spec"]["containers"][0]["env"]}
        # not the address that the driver binds, 0.0.0.0
        assert "@127.0.0.1:" in str(variables["SPARK_DRIVER_URL"])
