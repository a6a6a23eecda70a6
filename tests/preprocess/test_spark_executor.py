import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from pullrisk.errors import SettingsError
from pullrisk.preprocess.spark_executor import command

POD = {
    "JAVA_HOME": "/java",
    "SPARK_HOME": "/spark",
    "SPARK_CONF_DIR": "/opt/spark/conf",
    "SPARK_EXECUTOR_MEMORY": "1024m",
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.1:7078",
    "SPARK_EXECUTOR_ID": "1",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.2",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "pullrisk-exec-1",
    "SPARK_JAVA_OPT_0": "-Dspark.driver.port=7078",
    "SPARK_JAVA_OPT_1": "--add-modules=jdk.incubator.vector",
    "SPARK_JAVA_OPT_2": "-Dwith=a space",
    "SPARK_JAVA_OPT_10": "-Dlast=yes",
}


def test_the_pods_variables_become_the_executors_command_line() -> None:
    assert command(POD) == [
        *("/java/bin/java", "-Dspark.driver.port=7078", "-Dwith=a space", "-Dlast=yes"),
        *("-Xms1024m", "-Xmx1024m", "-cp", "/opt/spark/conf:/spark/jars/*"),
        "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend",
        *("--driver-url", "spark://CoarseGrainedScheduler@10.0.0.1:7078", "--executor-id", "1"),
        *("--cores", "2", "--app-id", "spark-1", "--hostname", "10.0.0.2"),
        *("--resourceProfileId", "0", "--podName", "pullrisk-exec-1"),
    ]


def test_outside_of_an_executors_pod_it_names_what_is_not_set() -> None:
    given = {name: value for name, value in POD.items() if name != "SPARK_DRIVER_URL"}
    with pytest.raises(
        SettingsError, match=r"no pod of a Spark executor: SPARK_DRIVER_URL not set"
    ):
        command(given)


def test_the_command_says_so_and_ends_with_3() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pullrisk", "executor"], env={}, capture_output=True, text=True
    )
    assert ran.returncode == 3
    assert "Spark itself starts executors" in ran.stderr


def test_sparks_distribution_has_the_class_that_is_started() -> None:
    (jar,) = Path(pyspark.__file__).parent.glob("jars/spark-kubernetes_*.jar")
    name = command(POD)[8].replace(".", "/")
    assert f"{name}.class".encode() in jar.read_bytes()
