"""The Spark session: its settings, and the Java that it needs."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pullrisk.errors import MissingExtraError, PullriskError, needs_extra
from pullrisk.options import SparkOptions
from pullrisk.redaction import SPARK_REDACTION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA: Final = 17
_INSTALL: Final = (
    f"install Java {OLDEST_JAVA} or 21 (Debian: apt-get install openjdk-17-jre-headless; macOS: "
    "brew install openjdk@17), or set JAVA_HOME to one"
)
_LOOPBACK: Final = "127.0.0.1"
_CONNECT_SECONDS: Final = 5
_JAVA_OPTIONS: Final = "spark.driver.defaultJavaOptions"
_REFUSED: Final = re.compile(r"Message: (.+?)(?:\. Received status:|$)", re.MULTILINE)
_POD_PREFIX: Final = 47
"""The longest `podNamePrefix` that Spark takes: executors' names have to fit behind it."""
_LOGGING: Final = Path(__file__).with_name("log4j2.properties")


def properties(options: SparkOptions, *, json_logs: bool = False) -> dict[str, str]:
    """Spark's own names and values; `json_logs` makes each line of its log a JSON object."""
    values: dict[str, object] = {
        "spark.master": _master(options),
        "spark.app.name": "pullrisk preprocess",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        _JAVA_OPTIONS: f"-Dlog4j2.configurationFile=file:{_LOGGING}"
        + (" -Dpullrisk.log.format=json" if json_logs else ""),
        "spark.task.maxFailures": options.task_attempts,
        "spark.sql.shuffle.partitions": 4,
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": options.driver_memory,
        "spark.driver.host": options.driver_host or (_LOOPBACK if options.local else None),
        "spark.driver.bindAddress": _LOOPBACK if options.local else None,
        "spark.eventLog.enabled": "true" if options.event_log else None,
        "spark.eventLog.dir": options.event_log,
        "spark.executor.instances": options.executors,
        "spark.executor.cores": options.executor_cores,
        "spark.executor.memory": options.executor_memory,
        "spark.kubernetes.container.image": options.image,
        "spark.kubernetes.namespace": options.namespace,
        "spark.kubernetes.authenticate.driver.serviceAccountName": options.service_account,
        **(_on_kubernetes() if options.kubernetes else {}),
    }
    texts = {name: str(value) for name, value in values.items() if value is not None}
    return {**SPARK_REDACTION, **texts, **options.conf}


def _on_kubernetes() -> dict[str, object]:
    """Names after this process' own pod, so that two drivers never meet.

    Executors connect to `driver_host`: unless told otherwise PySpark's tell them the address
    that the driver binds, which may be 0.0.0.0.
    """
    pod = _own_pod()
    return {
        "spark.kubernetes.driver.pod.name": pod,
        "spark.kubernetes.executor.podNamePrefix": pod and pod[-_POD_PREFIX:].lstrip("-"),
        "spark.kubernetes.executor.useDriverPodIP": "false",
    }


def _master(options: SparkOptions) -> str:
    # Spark tries a task once on a local master unless the master says otherwise.
    match = re.fullmatch(r"local\[(\w+|\*)\]", options.master)
    return f"local[{match[1]},{options.task_attempts}]" if match else options.master


def _own_pod() -> str | None:
    """The pod of this process, None outside of Kubernetes: what it owns goes when it goes."""
    return socket.gethostname() if os.environ.get("KUBERNETES_SERVICE_HOST") else None


@contextmanager
def spark_session(options: SparkOptions, *, json_logs: bool = False) -> Iterator["SparkSession"]:
    """A session, stopped at the end.

    Raises MissingExtraError without pyspark or Java, PullriskError if the master refuses.
    """
    check_java()
    with needs_extra("spark"):
        from pyspark.sql import SparkSession
    # pyspark takes the workers' interpreter from here alone; executor pods have the image's.
    os.environ.setdefault("PYSPARK_PYTHON", "python3" if options.kubernetes else sys.executable)
    with TemporaryDirectory(prefix="pullrisk-spark-") as folder:
        log = Path(folder) / "kubernetes.log"
        builder = SparkSession.builder
        for name, value in _logging_to(log, options, json_logs=json_logs).items():
            builder = builder.config(name, value)
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise _not_started(options, error, log) from error
        try:
            yield session
        finally:
            session.stop()


def _logging_to(log: Path, options: SparkOptions, *, json_logs: bool) -> dict[str, str]:
    """The session's properties; on Kubernetes, what its API answers is written to `log`."""
    settings = properties(options, json_logs=json_logs)
    if options.kubernetes:
        settings[_JAVA_OPTIONS] += f" -Dpullrisk.kubernetes.log={log}"
    return settings


def _not_started(options: SparkOptions, error: Exception, log: Path) -> PullriskError:
    refusal = _refusal(log)
    return PullriskError(
        f"Spark did not start with master {options.master}: {refusal or _first_line(error)}",
        hint="mend the executors' template or the driver's Role: Kubernetes refused its pods"
        if refusal
        else "check that the master runs and that this machine reaches it",
    )


def _refusal(log: Path) -> str | None:
    """The last answer by which the API of Kubernetes refused something, None without one."""
    if not log.exists():
        return None
    answers = _REFUSED.findall(log.read_text(encoding="utf-8", errors="replace"))
    return answers[-1].strip() if answers else None


def check_java() -> int:
    """The major version of the Java that Spark will use; MissingExtraError if none fits."""
    java = _java()
    if java is None:
        raise MissingExtraError(
            "Spark needs Java, and there is none on this machine", hint=_INSTALL
        )
    try:
        process = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise MissingExtraError(
            f"Spark needs Java, and {java} cannot be run: {error.strerror}", hint=_INSTALL
        ) from error
    match = re.search(r'version "(?:1\.)?(\d+)', process.stderr + process.stdout)
    if match is None or int(match[1]) < OLDEST_JAVA:
        version = f"Java {match[1]}" if match else "of an unknown version"
        raise MissingExtraError(
            f"Spark needs Java {OLDEST_JAVA} or later, and {java} is {version}", hint=_INSTALL
        )
    return int(match[1])


def check_master(options: SparkOptions) -> None:
    """Try once to reach a master that is not in this process; Spark would try for minutes.

    Raises PullriskError if none answers.
    """
    if options.local:
        return
    address = urlsplit(options.master.removeprefix("k8s://").replace("spark://", "tcp://"))
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        with socket.create_connection((address.hostname or "", port), _CONNECT_SECONDS):
            return
    except (OSError, ValueError) as error:
        raise PullriskError(
            f"no Spark master answers at {options.master}: {error}",
            hint="correct PULLRISK_SPARK__MASTER (local[*], spark://HOST:7077 or "
            "k8s://https://HOST:6443), or start the master",
        ) from error


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else shutil.which("java")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
