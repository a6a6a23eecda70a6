"""The Git repository that Argo CD reads: this checkout's manifests, and an overlay for the test."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
OVERLAY: Final = "argo-apps/overlays/test"
SERVING: Final = "registry.digitalocean.com/pullrisk/model-serving"
_COMPONENTS: Final = ("pod-monitor", "alerts", "dashboard", "spark-executors", "without-tls")
_LOCUST: Final = re.compile(r"docker\.io/locustio/locust@sha256:[0-9a-f]{64}")
_POD: Final = "/spec/jobTemplate/spec/template/spec/containers/0"
_LOAD: Final = "/spec/metrics/0/provider/job/spec/template/spec/containers/0"
_THRESHOLDS: Final = {5: ("P50", "250"), 6: ("P95", "1000"), 7: ("P99", "2500")}
"""Place among the variables of the load test → name, milliseconds."""
_IDENTITY: Final = ("-c", "user.name=test", "-c", "user.email=test@pullrisk.invalid")
EXECUTORS: Final = 2


@dataclass(frozen=True)
class Desired:
    """What a commit wants."""

    release: int = 1
    """Of the pods of model-serving; each number is another pod template."""
    schedule: str = "5 * * * *"
    """Of data-fetch: another stage than the one that waits."""
    touched: int = 0
    """Written onto both services, so that a sync applies them."""
    wrong: bool = False
    """The recorded answers are not those of the model: its analysis has to fail."""


@dataclass
class Repository:
    """A clone of one branch; `images` are stage → references, the last is for later releases."""

    folder: Path
    images: Mapping[str, tuple[str, ...]]
    others: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """A repository without a commit."""
        self.folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch", "staging")

    def commit(self, desired: Desired, message: str) -> str:
        """Write what is wanted and commit it; the commit."""
        self.write(desired)
        self._git("add", "--all")
        self._git(*_IDENTITY, "commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD").decode().strip()

    def pack(self, commit: str) -> bytes:
        """A pack of everything that a commit reaches."""
        return self._git("pack-objects", "--revs", "--stdout", "-q", data=f"{commit}\n".encode())

    def write(self, desired: Desired) -> None:
        """The manifests of this checkout, edited."""
        for path in ("argo-apps", "tests/performance"):
            shutil.rmtree(self.folder / path, ignore_errors=True)
            shutil.copytree(ROOT / path, self.folder / path)
        base = self.folder / "argo-apps" / "base"
        self._name_images(base / "kustomization.yaml", desired)
        if desired.wrong:
            spoil(base / "model-serving" / "expected.json")
        load = base / "model-serving" / "analysis-load.yaml"
        if "locust" in self.others:
            load.write_text(_LOCUST.sub(self.others["locust"], load.read_text()))
        self._write_overlay(desired)

    def _name_images(self, path: Path, desired: Desired) -> None:
        """Where the bot writes digests, the references of this test; the others stay zeros."""
        text = path.read_text()
        for stage, given in self.images.items():
            reference = given[min(desired.release, len(given)) - 1]
            name = f"registry.digitalocean.com/pullrisk/{stage}"
            old = re.compile(rf"(  - name: {re.escape(name)}\n)    digest: \S+\n")
            text, changed = old.subn(rf"\g<1>{_image_fields(reference)}", text)
            if changed != 1:
                raise ValueError(f"{path} has no digest of {stage}")
        path.write_text(text)

    def _write_overlay(self, desired: Desired) -> None:
        folder = self.folder / OVERLAY
        folder.mkdir(parents=True)
        (folder / "s3.yaml").write_text(yaml.safe_dump_all(s3_policies()))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../../base", "s3.yaml"],
            "components": [f"../../components/{name}" for name in _COMPONENTS],
            "patches": list(patches(desired)),
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))

    def _git(self, *words: str, data: bytes | None = None) -> bytes:
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def _image_fields(reference: str) -> str:
    """A reference as fields of kustomize's `images`."""
    name, at, digest = reference.partition("@")
    if at:
        return f"    newName: {name}\n    digest: {digest}\n"
    name, _, tag = reference.rpartition(":")
    return f'    newName: {name}\n    newTag: "{tag}"\n'


def spoil(path: Path) -> None:
    """Record other answers than the model gives."""
    recorded = json.loads(path.read_text())
    for answer in recorded["answers"]:
        answer["risk"] = min(1.0, answer["risk"] * 2 + 0.1)
    path.write_text(json.dumps(recorded))


def s3_policies() -> list[dict[str, Any]]:
    """Let the stages reach an S3 in this cluster, which production has outside of it."""
    return [
        _s3_policy("pullrisk", ["model-serving"]),
        _s3_policy("pullrisk-spark", ["spark-preprocess", "spark-executor"]),
    ]


def _s3_policy(namespace: str, stages: list[str]) -> dict[str, Any]:
    named = {"key": "app.kubernetes.io/name", "operator": "In", "values": stages}
    place = {"matchLabels": {"kubernetes.io/metadata.name": "s3"}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "test-s3", "namespace": namespace},
        "spec": {
            "podSelector": {"matchExpressions": [named]},
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [{"namespaceSelector": place}],
                    "ports": [{"protocol": "TCP", "port": 8333}],
                }
            ],
        },
    }


def patches(desired: Desired) -> list[dict[str, Any]]:
    """What differs from production: sizes and times for a small cluster, and what is wanted."""
    annotation = {"pullrisk/release": str(desired.release)}
    touched = {"pullrisk/touched": str(desired.touched)}
    conf = {
        "spark.executor.memoryOverhead": "768m",
        "spark.kubernetes.executor.request.cores": "100m",
    }
    spark = {
        "PULLRISK_SPARK__EXECUTORS": str(EXECUTORS),
        "PULLRISK_SPARK__EXECUTOR_CORES": "1",
        "PULLRISK_SPARK__EXECUTOR_MEMORY": "512m",
        "PULLRISK_SPARK__CONF": json.dumps(conf),
    }
    return [
        _patch("Rollout", "model-serving", ("/spec/template/metadata/annotations", annotation)),
        _patch("Service", "model-serving.*", ("/metadata/annotations", touched)),
        _patch("CronJob", "data-fetch", ("/spec/schedule", desired.schedule)),
        _patch(
            "CronJob",
            "spark-preprocess",
            *((f"{_POD}/env/-", {"name": name, "value": value}) for name, value in spark.items()),
            (f"{_POD}/resources/requests/cpu", "100m"),
            (f"{_POD}/resources/requests/memory", "1Gi"),
        ),
        # the thresholds of a small machine that does all the rest, too
        _patch(
            "AnalysisTemplate",
            "serving-load",
            *(
                (f"{_LOAD}/env/{place}", {"name": f"PULLRISK_TEST_{name}_MS", "value": value})
                for place, (name, value) in _THRESHOLDS.items()
            ),
        ),
        # a minute in place of six: two looks at the figures of the new pods
        _patch(
            "AnalysisTemplate",
            "serving-live",
            *(
                (f"/spec/metrics/{place}/{name}", value)
                for place in (0, 1)
                for name, value in (("count", 2), ("interval", "15s"), ("initialDelay", "45s"))
            ),
        ),
    ]


def _patch(kind: str, name: str, *changes: tuple[str, object]) -> dict[str, Any]:
    """A JSON patch that sets these paths."""
    made = [
        {"op": "replace" if path.startswith(_LOAD) else "add", "path": path, "value": value}
        for path, value in changes
    ]
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(made)}
