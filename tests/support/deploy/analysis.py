"""The jobs of an analysis, run as processes here: their own arguments, variables and files."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.deploy.manifests import Object, Pod, of_kind, pods
from support.deploy.references import MADE_ELSEWHERE


def job_of(objects: Sequence[Object], template: str) -> Pod:
    """The pod of an analysis' job."""
    templates = [
        one for one in of_kind(objects, "AnalysisTemplate") if one["metadata"]["name"] == template
    ]
    return next(pods(templates))


def run_job(
    objects: Sequence[Object],
    pod: Pod,
    folder: Path,
    *,
    service: str,
    changes: Mapping[str, str],
    environment: Mapping[str, str],
) -> "subprocess.CompletedProcess[str]":
    """Run a job against `service`; `changes` are what its arguments' texts become instead.

    Mounted files lie in `folder`, and the paths of the arguments lead there. `environment` is
    added to the manifest's own.
    """
    container = pod.containers[0]
    mounted = _mount(objects, pod, folder)
    arguments = []
    for text in container["args"]:
        text = text.replace("{{args.service}}", service)
        text = changes.get(text, text)
        for place, there in mounted.items():
            text = re.sub(rf"^{re.escape(place)}/", f"{there}/", text)
        arguments.append(text)
    own = {one["name"]: one["value"] for one in container.get("env", [])}
    module = "locust" if "locust" in container["image"] else "pullrisk"
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **own, **environment},
        capture_output=True,
        text=True,
    )


def _mount(objects: Sequence[Object], pod: Pod, folder: Path) -> dict[str, Path]:
    """The config maps of a pod as files; mount path → folder."""
    maps = {one["metadata"]["name"]: one for one in of_kind(objects, "ConfigMap")}
    places = {one["name"]: one["mountPath"] for one in pod.containers[0]["volumeMounts"]}
    mounted = {}
    for volume in pod.spec["volumes"]:
        if "configMap" not in volume or volume["configMap"]["name"] in MADE_ELSEWHERE:
            continue
        there = folder / places[volume["name"]].lstrip("/")
        there.mkdir(parents=True, exist_ok=True)
        content = maps[volume["configMap"]["name"]]
        for name, text in content.get("data", {}).items():
            (there / name).write_text(text)
        for name, text in content.get("binaryData", {}).items():
            (there / name).write_bytes(base64.b64decode(text))
        mounted[places[volume["name"]]] = there
    return mounted
