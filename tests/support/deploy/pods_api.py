"""The part of Kubernetes' API that Spark's driver asks for, whose pods are processes here.

A pod that is made gets a process at once: its container's arguments and variables, on this
machine's Python, Java and Spark. Nothing is scheduled, pulled or isolated.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pyspark

from support.loopback import Loopback

_PODS: Final = re.compile(r"/api/v1/namespaces/([a-z-]+)/pods(?:/([^/]+))?")
_MAPS: Final = re.compile(r"/api/v1/namespaces/[a-z-]+/configmaps")


class PodsApi(Loopback):
    """The server, on http://127.0.0.1:<free port>; `pods` are those that were asked for."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.driver = socket.gethostname()
        self._folder, self._environment = folder, environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__(self._handler())

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for process in self._processes.values():
            process.kill()
            process.wait()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a request."""
        found = _PODS.fullmatch(path)
        if found and method == "GET" and found[2] == self.driver:
            return 200, self._driver(found[1])
        if found and method == "POST":
            return 201, self._start(found[1], body)
        if found and method == "GET" and found[2] is None:
            items = [self._now(name) for name in self.pods]
            return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        if found and found[2] in self.pods and method in ("GET", "PATCH", "PUT"):
            return 200, self._now(found[2])
        if found and method == "DELETE":
            self._stop(found[2])
        if _MAPS.fullmatch(path) and method == "POST":
            return 201, body | {"metadata": body["metadata"] | {"uid": "1"}}
        if method == "GET" and found is None:
            kind = path.rpartition("/")[2].removesuffix("s").capitalize()
            return 200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": []}
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _driver(self, namespace: str) -> dict[str, Any]:
        """The pod that this machine stands for."""
        metadata = {"name": self.driver, "namespace": namespace, "uid": "uid-of-the-driver"}
        return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": []}}

    def _start(self, namespace: str, pod: dict[str, Any]) -> dict[str, Any]:
        name = pod["metadata"]["name"]
        pod["metadata"] |= {"namespace": namespace, "uid": f"uid-of-{name}", "resourceVersion": "1"}
        self.pods[name] = pod
        (container,) = pod["spec"]["containers"]
        given = {
            one["name"]: one.get("value") or self._field(one, name) for one in container["env"]
        }
        spark = Path(pyspark.__file__).parent
        own = {"SPARK_HOME": str(spark), "PATH": os.environ["PATH"], "TMPDIR": str(self._folder)}
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "pullrisk", *container["args"]],
                env={**own, **self._environment, **given},
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        return self._now(name)

    def _field(self, variable: dict[str, Any], name: str) -> str:
        path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        return {"status.podIP": "127.0.0.1", "metadata.name": name}.get(path, "")

    def _now(self, name: str) -> dict[str, Any]:
        code = self._processes[name].poll()
        state: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        phase = "Running"
        if code is not None:
            state, phase = {"terminated": {"exitCode": code}}, "Failed" if code else "Succeeded"
        containers = self.pods[name]["spec"]["containers"]
        statuses = [{"name": one["name"], "state": state, "ready": not code} for one in containers]
        status = {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": statuses}
        return self.pods[name] | {"status": status}

    def _stop(self, name: str | None) -> None:
        for each, process in self._processes.items():
            if name in (None, each):
                process.terminate()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                """As the parent, with one method for all verbs."""
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline:
                    self.close_connection = True
                elif self.parse_request():
                    self._answer()

            def _answer(self) -> None:
                api.tokens.add(self.headers.get("Authorization", ""))
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = urlsplit(self.path).path
                body = json.loads(data) if data else {}
                status, found = api.answer(self.command, path, body)
                text = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
