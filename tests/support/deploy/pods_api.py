"""The part of Kubernetes' API that Spark's driver asks for, whose pods are processes here.

It refuses what a real one refuses: a verb that the caller's Role does not give (403), a pod that
is not valid, mounts two volumes at one path or a volume that it does not have (422), runs as an
account that is not there (403), or has a taken name (409). A pod that it takes gets a process at
once: its container's arguments and variables, on this machine's Python, Java and Spark. Nothing is
scheduled, pulled or isolated.
"""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import pyspark

from support.deploy.manifests import Object, of_kind
from support.deploy.references import MADE_ELSEWHERE
from support.deploy.schema import OLDEST
from support.loopback import Handler, Loopback
from support.processes import PULLRISK

_PATH: Final = re.compile(
    r"/api/v1/namespaces/(?P<space>[a-z-]+)/(?P<kind>[a-z]+)(?:/(?P<name>.+))?"
)
_KINDS: Final = {
    "pods": "Pod",
    "configmaps": "ConfigMap",
    "services": "Service",
    "persistentvolumeclaims": "PersistentVolumeClaim",
}
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_REASONS: Final = {403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 422: "Invalid"}


class Request(NamedTuple):
    """What is asked for, in the words of a Role."""

    verb: str
    kind: str
    name: str | None


class PodsApi(Loopback):
    """The server, on http://127.0.0.1:<free port>; `pods` are those that were asked for.

    `objects` are the manifests: the Role of `account` says what the caller may do.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], objects: Sequence[Object], account: str
    ) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.maps: set[str] = set()
        self.tokens: set[str] = set()
        self.requests: set[tuple[str, str]] = set()
        """Verb and kind of everything that was asked for."""
        self.refused: list[str] = []
        self.driver = socket.gethostname()
        self.allowed = set(_allowed(objects, account))
        self._accounts = {one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")}
        self._folder, self._environment = folder, environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        super().__init__(self._handler())

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for process in self._processes.values():
            process.kill()
            process.wait()

    def answer(self, request: Request, space: str, body: Object) -> tuple[int, Object]:
        """Status and body of the answer to a request; one after the other."""
        with self._lock:
            return self._answered(request, space, body)

    def _answered(self, request: Request, space: str, body: Object) -> tuple[int, Object]:
        self.requests.add((request.verb, request.kind))
        if (request.verb, request.kind) not in self.allowed:
            return self._refuse(403, f"cannot {request.verb} resource {request.kind}")
        if request.kind == "pods":
            return self._pods(request, space, body)
        if request.kind == "configmaps" and request.verb == "create":
            self.maps.add(body["metadata"]["name"])
            return 201, body | {"metadata": body["metadata"] | {"uid": "1"}}
        return _listed(request.kind, []) if request.verb == "list" else _success()

    def _pods(self, request: Request, space: str, body: Object) -> tuple[int, Object]:
        verb, name = request.verb, request.name
        if verb == "create":
            return self._create(space, body)
        if verb in ("list", "watch"):  # a watch ends at once: there is no news here
            return _listed("pods", [self._now(each) for each in self.pods])
        if verb in ("delete", "deletecollection"):
            self._stop(name)
            return _success()
        if name == self.driver:
            return 200, self._driver(space)
        if name not in self.pods:
            return self._refuse(404, f'pods "{name}" not found')
        return 200, self._now(name)

    def _create(self, space: str, pod: Object) -> tuple[int, Object]:
        name = pod["metadata"]["name"]
        if name in self.pods:
            return self._refuse(409, f'pods "{name}" already exists')
        account = pod["spec"].get("serviceAccountName", "default")
        if account not in self._accounts:
            return self._refuse(403, f"error looking up service account {space}/{account}")
        if whys := list(self._faults(pod)):
            return self._refuse(422, f'Pod "{name}" is invalid: {", ".join(whys)}')
        return 201, self._start(space, pod)

    def _faults(self, pod: Object) -> Iterator[str]:
        try:
            kubernetes_validate.validate(pod, OLDEST, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(map(str, error.path))}: {error.message}"
        name = pod["metadata"]["name"]
        if not _NAME.fullmatch(name) or len(name) > 253:
            yield f'metadata.name: Invalid value: "{name}"'
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", [])}
        for volume in volumes.values():
            if volume.get("configMap", {}).get("name", "") not in {"", *MADE_ELSEWHERE, *self.maps}:
                yield f"volume {volume['name']} is of a ConfigMap that is not there"
        for container in pod["spec"]["containers"]:
            paths: set[str] = set()
            for place, mount in enumerate(container.get("volumeMounts", [])):
                where = f"spec.containers[0].volumeMounts[{place}]"
                if mount["name"] not in volumes:
                    yield f'{where}.name: Not found: "{mount["name"]}"'
                if (path := mount["mountPath"]) in paths:
                    yield f'{where}.mountPath: Invalid value: "{path}": must be unique'
                paths.add(path)

    def _refuse(self, status: int, message: str) -> tuple[int, Object]:
        self.refused.append(message)
        return status, {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": _REASONS[status],
            "code": status,
        }

    def _driver(self, namespace: str) -> Object:
        """The pod that this machine stands for."""
        metadata = {"name": self.driver, "namespace": namespace, "uid": "uid-of-the-driver"}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        spec: Object = {"containers": []}
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}
        return pod | {"status": status}

    def _start(self, namespace: str, pod: Object) -> Object:
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
                [*PULLRISK, *container["args"]],
                env={**own, **self._environment, **given},
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        return self._now(name)

    def _field(self, variable: Object, name: str) -> str:
        path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        return {"status.podIP": "127.0.0.1", "metadata.name": name}.get(path, "")

    def _now(self, name: str) -> Object:
        code = self._processes[name].poll()
        state: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
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

    def _handler(self) -> type[Handler]:
        api = self

        class ApiHandler(Handler):
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
                data = self.body()
                request, space = read_request(self.command, self.path)
                self.answer(*api.answer(request, space, json.loads(data) if data else {}))

        return ApiHandler


def read_request(method: str, target: str) -> tuple[Request, str]:
    """A request in the words of a Role, and its namespace."""
    parts = urlsplit(target)
    match = _PATH.fullmatch(parts.path)
    if match is None:
        return Request(method.lower(), parts.path, None), ""
    name = match["name"]
    if method == "GET":
        watches = parse_qs(parts.query).get("watch") == ["true"]
        verb = "watch" if watches else "get" if name else "list"
    elif method == "DELETE":
        verb = "delete" if name else "deletecollection"
    else:
        verb = _VERBS[method]
    return Request(verb, match["kind"], name), match["space"]


def _allowed(objects: Sequence[Object], account: str) -> Iterator[tuple[str, str]]:
    """Verb and kind of all that the Roles of an account give it."""
    roles = {one["metadata"]["name"]: one for one in of_kind(objects, "Role")}
    for binding in of_kind(objects, "RoleBinding"):
        if account not in [subject["name"] for subject in binding["subjects"]]:
            continue
        for rule in roles[binding["roleRef"]["name"]]["rules"]:
            yield from ((verb, kind) for verb in rule["verbs"] for kind in rule["resources"])


def _listed(kind: str, items: list[Object]) -> tuple[int, Object]:
    listed = {"kind": f"{_KINDS[kind]}List", "apiVersion": "v1", "items": items}
    return 200, listed | {"metadata": {"resourceVersion": "1"}}


def _success() -> tuple[int, Object]:
    return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
