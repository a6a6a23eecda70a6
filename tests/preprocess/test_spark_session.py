import socket
from pathlib import Path

import pytest

from pullrisk.errors import MissingExtraError, PullriskError, SettingsError
from pullrisk.lake import Lake
from pullrisk.options import S3, SparkOptions
from pullrisk.preprocess.spark import preprocess_spark
from pullrisk.preprocess.spark_session import check_java, check_master, properties
from pullrisk.pulls.sqlite import SqliteStore


def java(folder: Path, banner: str) -> Path:
    """A JAVA_HOME whose java says this of its version."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("banner", "said"),
    [
        ('openjdk version "11.0.22" 2024-01-16', "is Java 11"),
        ('java version "1.8.0_402"', "is Java 8"),
        ("no java at all", "of an unknown version"),
    ],
)
def test_a_java_that_is_too_old_is_named_with_how_to_install_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banner: str, said: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, banner)))
    with pytest.raises(MissingExtraError, match=said) as caught:
        check_java()
    assert str(tmp_path) in str(caught.value)
    assert "openjdk-17" in str(caught.value.hint)


def test_without_java_a_run_stops_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        SqliteStore(tmp_path / "pulls.sqlite") as store,
        pytest.raises(MissingExtraError, match="there is none on this machine"),
    ):
        preprocess_spark(store, Lake(tmp_path / "lake"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(MissingExtraError, match="gone/bin/java cannot be run: No such file"):
        check_java()


def test_a_java_that_fits_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, 'openjdk version "21.0.2" 2024-01-16')))
    assert check_java() == 21


def test_a_master_that_does_not_answer_is_told_before_spark_starts() -> None:
    for master in ("spark://127.0.0.1:1", "k8s://https://127.0.0.1:1"):
        with pytest.raises(PullriskError, match=f"no Spark master answers at {master}"):
            check_master(SparkOptions(master=master))


def test_a_master_that_answers_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_master(SparkOptions(master=f"spark://127.0.0.1:{server.getsockname()[1]}"))
    check_master(SparkOptions())


@pytest.mark.parametrize("master", ["yarn", "local[x]", "localhost", "spark:/h:1", ""])
def test_an_unknown_master_is_refused(master: str) -> None:
    with pytest.raises(ValueError, match="should match pattern"):
        SparkOptions(master=master)


def test_a_local_session_keeps_to_this_machine_and_tries_tasks_again() -> None:
    found = properties(SparkOptions(master="local[2]"))
    assert found["spark.master"] == "local[2,4]"
    assert found["spark.driver.host"] == found["spark.driver.bindAddress"] == "127.0.0.1"
    assert found["spark.ui.enabled"] == "false"
    assert properties(SparkOptions(master="local[*]"))["spark.master"] == "local[*,4]"
    assert properties(SparkOptions(master="local[2,9]"))["spark.master"] == "local[2,9]"


def test_pods_get_the_image_the_namespace_and_what_is_given_beside() -> None:
    found = properties(
        SparkOptions(
            master="k8s://https://h:6443",
            image="registry/pullrisk@sha256:1",
            namespace="pullrisk",
            service_account="spark-preprocess",
            executors=4,
            executor_memory="2g",
            driver_host="driver.pullrisk.svc",
            event_log="s3a://logs/",
            conf={"spark.ui.enabled": "true", "spark.kubernetes.executor.label.app": "pullrisk"},
        )
    )
    assert found["spark.kubernetes.container.image"] == "registry/pullrisk@sha256:1"
    assert found["spark.kubernetes.namespace"] == "pullrisk"
    account = "spark.kubernetes.authenticate.driver.serviceAccountName"
    assert found[account] == "spark-preprocess"
    assert found["spark.executor.instances"] == "4"
    assert found["spark.driver.host"] == "driver.pullrisk.svc"
    assert found["spark.eventLog.enabled"] == "true"
    assert found["spark.ui.enabled"] == "true"
    assert found["spark.kubernetes.executor.label.app"] == "pullrisk"
    assert "spark.driver.bindAddress" not in found


def test_pods_are_not_sent_to_files_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = SparkOptions(master=f"k8s://http://127.0.0.1:{server.getsockname()[1]}")
        with SqliteStore(tmp_path / "pulls.sqlite") as store:
            with pytest.raises(SettingsError, match="cannot write to the folder"):
                preprocess_spark(store, Lake(tmp_path / "lake"), options=options)
            bucket = Lake("s3://bucket/lake", s3=S3(endpoint="http://127.0.0.1:1"))
            with pytest.raises(SettingsError, match="cannot read an SQLite file"):
                preprocess_spark(store, bucket, options=options)


def test_a_driver_in_a_pod_owns_its_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    name, cluster = "spark.kubernetes.driver.pod.name", SparkOptions(master="k8s://https://h:443")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert name not in properties(cluster)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.245.0.1")
    assert properties(cluster)[name] == socket.gethostname()
    assert name not in properties(SparkOptions())
