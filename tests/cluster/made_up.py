"""A cluster that is made up: what Argo CD, Argo Rollouts, Spark and Prometheus would do, at once.

`faults` are what may go wrong; each has to be found by the check that is there for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cluster.kubectl import Kubectl
from cluster.repository import Desired, Repository
from cluster.state import HASH
from cluster.world import World
from support.loopback import Handler, Loopback

FAULTS = {
    "the client loses a request": "first_version_serves",
    "a stage starts without an image": "stages_without_an_image_are_suspended",
    "a sync strips the hash": "hash_stays_over_syncs",
    "a default keeps it out of sync": "nothing_stays_out_of_sync",
    "an image is taken for a first deploy": "new_image_waits",
    "a preview gets traffic": "new_image_waits",
    "a preview blocks other commits": "other_stages_go_on",
    "a promotion does not switch": "promotion_switches",
    "an old pod does not restart": "old_pod_restarts",
    "the way back waits": "rollback_takes_seconds",
    "a wrong version gets traffic": "wrong_version_gets_no_traffic",
    "there is one executor": "spark_uses_executors",
    "pods are scraped twice": "pods_are_scraped_once",
}
"""Fault → the check that has to find it."""


class MadeUpKubectl(Kubectl):
    """What the checks ask of kubectl itself."""

    def __init__(self, cluster: "MadeUpWorld") -> None:
        super().__init__("kind-made-up", "kubectl")
        self.cluster = cluster

    def find(self, kind: str, name: str, namespace: str | None = None) -> Any:
        if kind == "job":
            return {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
        return self.cluster.cron(name)

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> Any:
        if kind == "cronjobs":
            return [self.cluster.cron("data-fetch")]
        count = 1 if self.cluster.fault == "there is one executor" else 2
        running = {"phase": "Running"}
        return [{"metadata": {"name": f"exec-{n}"}, "status": running} for n in range(count)]

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        if kind == "pod":
            self.cluster.delete_pod(name)

    def run(
        self, *words: str, namespace: str | None = None, data: str = "", seconds: float = 120
    ) -> str:
        return ""

    @contextmanager
    def forward(self, target: str, port: int, namespace: str) -> Iterator[int]:
        times = "2" if self.cluster.fault == "pods are scraped twice" else "1"
        result = [{"metric": {"pod": "a"}, "value": [0, times]}]

        class Prometheus(Handler):
            def do_GET(self) -> None:
                self.answer(200, {"data": {"result": result}})

        with Loopback(Prometheus) as server:
            yield server.port


class MadeUpWorld(World):
    """A Rollout, its pods and an Application, in memory."""

    def __init__(self, repository: Repository, fault: str = "") -> None:
        super().__init__(MadeUpKubectl(self), repository)
        self.fault = fault
        self.schedule = self.desired.schedule
        self.active = self.newest = self.version(self.desired)
        self.phase, self.analysis, self.stripped = "Healthy", "Successful", False
        self.up = {self.active: ["a", "b"]}

    @staticmethod
    def version(desired: Desired) -> str:
        return f"v{desired.release}{'w' * desired.wrong}"

    def push(self, message: str, **changes: Any) -> str:
        before, self.desired = self.desired, replace(self.desired, **changes)
        self.commit = message
        waits = self.phase == "Paused"
        if not (waits and self.fault == "a preview blocks other commits"):
            self.schedule = self.desired.schedule
        if self.desired.touched != before.touched:
            self.stripped = self.fault == "a sync strips the hash"
        if (wanted := self.version(self.desired)) != self.newest:
            self._roll_out(wanted)
        return message

    def _roll_out(self, wanted: str) -> None:
        self.newest = wanted
        if wanted in self.up:
            self.phase, self.analysis = "Healthy", "Successful"
            if self.fault == "the way back waits" and wanted != self.active:
                self.phase = "Paused"
            else:
                self.active = wanted
            return
        self.up[wanted] = [f"{wanted}-a", f"{wanted}-b"]
        wrong = wanted.endswith("w")
        self.phase = "Degraded" if wrong else "Paused"
        self.analysis = "Failed" if wrong else "Successful"
        if self.fault == "an image is taken for a first deploy":
            self.active, self.phase = wanted, "Healthy"

    def promote(self) -> None:
        if self.fault != "a promotion does not switch":
            self.active, self.phase = self.newest, "Healthy"

    def delete_pod(self, name: str) -> None:
        for names in self.up.values():
            if name in names:
                names.remove(name)
                names.extend([] if self.fault == "an old pod does not restart" else [f"{name}2"])

    def application(self) -> Any:
        late = self.fault == "a default keeps it out of sync"
        status = "OutOfSync" if late else "Synced"
        resource = {"kind": "Rollout", "name": "model-serving", "status": status}
        done = {"phase": "Succeeded", "syncResult": {"revision": self.commit}}
        return {"status": {"operationState": done, "resources": [resource]}}

    def rollout(self) -> Any:
        blue = {
            "activeSelector": self.active,
            "previewSelector": self.newest,
            "prePromotionAnalysisRunStatus": {"status": self.analysis},
        }
        status = {"phase": self.phase, "observedGeneration": "1", "currentPodHash": self.newest}
        return {"metadata": {"generation": 1}, "status": {**status, "blueGreen": blue}}

    def selected(self) -> tuple[str, str]:
        return ("", "") if self.stripped else (self.active, self.newest)

    def pods(self, version: str = "") -> list[Any]:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [
            {"metadata": {"name": name, "labels": {HASH: own}}, "status": ready}
            for own, names in self.up.items()
            for name in names
            if version in ("", own)
        ]

    def traffic(self) -> set[str]:
        leaks = self.phase == "Paused" and self.fault == "a preview gets traffic"
        leaks |= self.phase == "Degraded" and self.fault == "a wrong version gets traffic"
        return {self.active, self.newest} if leaks else {self.active}

    def report(self) -> dict[str, Any]:
        failures = int(self.fault == "the client loses a request")
        return {"requests": 5, "failures": failures, "last_failure": "503" * failures}

    def cron(self, name: str) -> Any:
        container = {"image": f"{name}@sha256:{'0' * 64}"}
        template = {"spec": {"template": {"spec": {"containers": [container]}}}}
        suspend = self.fault != "a stage starts without an image"
        spec = {"suspend": suspend, "schedule": self.schedule, "jobTemplate": template}
        return {"metadata": {"name": name}, "spec": spec}
