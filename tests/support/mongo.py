"""A MongoDB server for tests: nx-27017, which speaks its wire protocol over SQLite."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from support.ports import free_port


class MongoStandIn:
    """nx-27017, a server of MongoDB's wire protocol, on a free port; it can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, on the data it had, and wait until it answers."""
        command = [
            sys.executable,
            "-c",
            "from nx_27017.nx_27017 import main; main()",
            f"--port={self.port}",
            f"--data-dir={self.folder / 'data'}",
            f"--log-file={self.folder / 'nx.log'}",
            f"--pid-file={self.folder / 'nx.pid'}",
        ]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + 30
        while not answers(self.port):
            assert self._process.poll() is None, (self.folder / "output").read_text()
            assert time.monotonic() < deadline, "nx-27017 does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a crash of the machine would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
