"""A standalone Spark cluster of worker processes on this machine."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pyspark

from pullrisk.options import SparkOptions
from support.ports import answers, free_port
from support.processes import Server, until

WORKERS = 2
_QUICK_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
CONF = {
    "spark.executor.extraJavaOptions": _QUICK_JVM,
    "spark.driver.extraJavaOptions": _QUICK_JVM,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.cores.max": "2",  # so that two applications fit
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


class _Daemon(Server):
    """A master or a worker."""

    def __init__(self, folder: Path, name: str, *arguments: str, ready: Callable[[], bool]) -> None:
        super().__init__(folder)
        self._arguments = (f"org.apache.spark.deploy.{name}", "--webui-port", "0", *arguments)
        self._ready = ready

    def command(self) -> list[str | Path]:
        return [Path(pyspark.__file__).parent / "bin" / "spark-class", *self._arguments]

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": _QUICK_JVM,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }

    def is_ready(self) -> bool:
        return self._ready()


class Cluster:
    """A master and two workers of two cores each, on free ports."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._daemons = ExitStack()

    @property
    def options(self) -> SparkOptions:
        return options(f"spark://127.0.0.1:{self._port}")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            where = ["--host", "127.0.0.1", "--port", str(self._port)]
            master = _Daemon(
                self._folder / "master", "master.Master", *where, ready=lambda: answers(self._port)
            )
            stack.enter_context(master)
            for worker in map(self._worker, range(WORKERS)):
                stack.enter_context(worker)
            until(lambda: master.log.count("Registering worker") == WORKERS)
            self._daemons = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._daemons.close()

    def _worker(self, index: int) -> _Daemon:
        # Each has a loopback address of its own: Spark tries no task twice at once on one host.
        folder = self._folder / f"worker-{index}"
        given = ["--cores", "2", "--memory", "2g", "--host", f"127.0.0.{1 + index}"]
        given += ["--work-dir", str(folder / "work"), self.options.master]
        return _Daemon(folder, "worker.Worker", *given, ready=lambda: True)

    def executors(self) -> list[int]:
        """Process ids of the executors that run on this cluster."""
        pids = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                folder = (process / "cwd").resolve()
            except OSError:
                continue
            if b"CoarseGrainedExecutorBackend" in command and folder.is_relative_to(self._folder):
                pids.append(int(process.name))
        return pids

    def kill_an_executor(self) -> None:
        """SIGKILL, as the kernel does where memory is short."""
        os.kill(self.executors()[0], signal.SIGKILL)
