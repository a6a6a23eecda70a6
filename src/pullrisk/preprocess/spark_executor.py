"""An executor of Spark on Kubernetes, started in its pod without a shell.

Spark's own image does this by a shell script (resource-managers/kubernetes, entrypoint.sh); the
variables are those that the driver puts into an executor's pod.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pullrisk.errors import SettingsError

_MAIN: Final = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
_OPTION: Final = "SPARK_JAVA_OPT_"
_ABSENT: Final = "--add-modules=jdk.incubator.vector"
"""Spark asks for it and does without; a Java that lacks it would not start."""
_ARGUMENTS: Final = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}


def command(environment: Mapping[str, str]) -> list[str]:
    """The executor's command line. Raises SettingsError if this is no executor's pod."""
    missing = [
        name
        for name in ("JAVA_HOME", "SPARK_HOME", "SPARK_EXECUTOR_MEMORY", *_ARGUMENTS.values())
        if not environment.get(name)
    ]
    if missing:
        raise SettingsError(
            f"this is no pod of a Spark executor: {', '.join(missing)} not set",
            hint="Spark itself starts executors; run `pullrisk preprocess --engine spark`",
        )
    memory = environment["SPARK_EXECUTOR_MEMORY"]
    arguments = ((option, environment[name]) for option, name in _ARGUMENTS.items())
    return [
        str(Path(environment["JAVA_HOME"], "bin", "java")),
        *_options(environment),
        f"-Xms{memory}",
        f"-Xmx{memory}",
        "-cp",
        _class_path(environment),
        _MAIN,
        *(word for pair in arguments for word in pair),
    ]


def _options(environment: Mapping[str, str]) -> list[str]:
    """The options of the JVM, in the driver's order."""
    numbers = sorted(
        int(name.removeprefix(_OPTION)) for name in environment if name.startswith(_OPTION)
    )
    options = (environment[f"{_OPTION}{number}"] for number in numbers)
    return [option for option in options if option != _ABSENT]


def _class_path(environment: Mapping[str, str]) -> str:
    spark_jars = str(Path(environment["SPARK_HOME"], "jars", "*"))
    folders = (environment.get(name) for name in ("SPARK_CONF_DIR", "SPARK_CLASSPATH"))
    return ":".join([*(path for path in folders if path), spark_jars])
