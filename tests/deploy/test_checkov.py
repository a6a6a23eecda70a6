"""checkov over everything that is rendered; what it is told to pass over stands here, with why."""

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.deploy.manifests import ROOT, Object, Pod, pods

CHECKOV = Path(
    os.environ.get("PULLRISK_TEST_CHECKOV", ROOT / ".venv" / "checkov" / "bin" / "checkov")
)
pytestmark = pytest.mark.skipif(not CHECKOV.is_file(), reason="checkov is not installed: make test")
EXCEPTIONS = {
    ("CKV_K8S_11", "model-serving"): "a limit of CPU holds answers back while the node is idle",
    ("CKV_K8S_40", "serving-load"): "Locust's own image has the user 1000, and nothing else in it",
}
"""Check and object → why it may be so."""


def plain(objects: list[Object]) -> list[Object]:
    """The objects, the pods of Argo's kinds as those that checkov knows."""
    known = [one for one in objects if not one["apiVersion"].startswith("argoproj.io")]
    for pod in pods(objects):
        if pod.owner["kind"] == "AnalysisTemplate":
            known.append(as_kind("batch/v1", "Job", pod))
        elif pod.owner["kind"] == "Rollout":
            selector = {"selector": pod.owner["spec"]["selector"]}
            known.append(as_kind("apps/v1", "Deployment", pod, **selector))
    return known


def as_kind(version: str, kind: str, pod: Pod, **spec: Any) -> Object:
    template = {"metadata": {"labels": pod.labels}, "spec": copy.deepcopy(pod.spec)}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": pod.owner["metadata"]["name"], "namespace": "pullrisk"},
        "spec": {**spec, "template": template},
    }


def scan(objects: list[Object], folder: Path) -> Any:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(plain(objects)))
    done = subprocess.run(
        [
            *(str(CHECKOV), "--file", str(folder / "all.yaml"), "--framework", "kubernetes"),
            *("--output", "json", "--quiet", "--compact", "--skip-download"),
        ],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LOG_LEVEL": "ERROR"},
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def failed(found: Any) -> set[tuple[str, str]]:
    return {
        (one["check_id"], one["resource"].rpartition(".")[2])
        for one in found["results"]["failed_checks"]
    }


def test_checkov_finds_what_is_excepted_here_and_nothing_else(
    everything: list[Object], tmp_path: Path
) -> None:
    found = scan(everything, tmp_path)
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 300
    assert failed(found) == set(EXCEPTIONS)


def test_checkov_sees_a_container_that_runs_as_root(base: list[Object], tmp_path: Path) -> None:
    wrong = copy.deepcopy(base)
    for pod in pods(wrong):
        pod.spec["securityContext"] = {}
    assert {check for check, _ in failed(scan(wrong, tmp_path))} >= {"CKV_K8S_23", "CKV_K8S_31"}
