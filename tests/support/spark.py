"""A standalone Spark cluster of worker processes on this machine."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pyspark

from pullrisk.preprocess.spark_session import SparkOptions
from support.mongo import answers
from support.ports import free_port

WORKERS = 3
_QUICK_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
CONF = {
    "spark.executor.extraJavaOptions": _QUICK_JVM,
    "spark.driver.extraJavaOptions": _QUICK_JVM,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.cores.max": "3",  # so that two applications fit
    "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[1]),
}


def options(master: str, **conf: str) -> SparkOptions:
    """Small executors of one core, and what `conf` says beside."""
    return SparkOptions(
        master=master,
        driver_host="127.0.0.1",
        driver_memory="512m",
        executor_memory="512m",
        executor_cores=1,
        conf=CONF | conf,
    )


class Cluster:
    """A master and three workers of two cores each, on free ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def options(self) -> SparkOptions:
        return options(f"spark://127.0.0.1:{self._port}")

    def __enter__(self) -> Self:
        deploy = "org.apache.spark.deploy"
        self._run(f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(self._port))
        self._await(lambda: answers(self._port), "the master")
        for index in range(WORKERS):
            # Each has a loopback address of its own: Spark tries no task twice at once on one host.
            given = ["--cores", "2", "--memory", "2g", "--host", f"127.0.0.{1 + index}"]
            given += ["--work-dir", str(self._folder / f"work-{index}"), self.options.master]
            self._run(f"{deploy}.worker.Worker", *given)
        self._await(lambda: self._log().count("Registering worker") == WORKERS, "the workers")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def executors(self) -> list[int]:
        """Process ids of the executors that run on this cluster."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                folder = (process / "cwd").resolve()
            except OSError:
                continue
            if b"CoarseGrainedExecutorBackend" in command and folder.is_relative_to(self._folder):
                found.append(int(process.name))
        return found

    def kill_an_executor(self) -> None:
        """SIGKILL, as the kernel does where memory is short."""
        os.kill(self.executors()[0], signal.SIGKILL)

    def _run(self, name: str, *arguments: str) -> None:
        environment = os.environ | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": _QUICK_JVM,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(spark_class), name, "--webui-port", "0", *arguments],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
            )
        self._processes.append(process)

    def _log(self) -> str:
        return re.sub(r"\x1b\[\d+m", "", (self._folder / "log").read_text())

    def _await(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 90
        while not ready():
            assert time.monotonic() < deadline, f"{what} did not start: {self._log()}"
            time.sleep(0.2)
