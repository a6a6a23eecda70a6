"""The images that the cluster runs: built here and loaded into kind or k3d, or named."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cluster.kubectl import ClusterError, say
from cluster.repository import ROOT

STAGES: Final = ("model-serving", "spark-preprocess")
"""Those that the checks run."""


def chosen(given: list[str]) -> dict[str, tuple[str, ...]]:
    """NAME=REFERENCE[,REFERENCE] options as a mapping. Raises ClusterError."""
    found = {}
    for each in given:
        name, equals, references = each.partition("=")
        if not equals or not references:
            raise ClusterError(f"{each} is not NAME=REFERENCE")
        found[name] = tuple(references.split(","))
    return found


def loader(context: str) -> list[str]:
    """The command that loads an image into this context's nodes. Raises ClusterError."""
    kind, _, name = context.partition("-")
    if kind == "kind" and name:
        return ["kind", "load", "docker-image", "--name", name]
    if kind == "k3d" and name:
        return ["k3d", "image", "import", "--cluster", name]
    raise ClusterError(
        f"{context} is neither kind nor k3d: name images that its nodes can pull or have, with "
        "--image model-serving=REFERENCE,ANOTHER --image spark-preprocess=REFERENCE"
    )


def provide(context: str, given: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Stage → references, built and loaded where none are given.

    model-serving has two of the same content, so that one can follow the other.
    """
    found = {stage: given[stage] for stage in STAGES if stage in given}
    missing = [stage for stage in STAGES if stage not in found]
    load = loader(context) if missing else []
    for stage in missing:
        built = build(stage)
        references = (built,) if stage != "model-serving" else (built, f"{built}-again")
        for reference in references[1:]:
            _run(["docker", "tag", built, reference])
        for reference in references:
            _run([*load, reference])
        found[stage] = references
    return found


def build(stage: str) -> str:
    """Build the image of HEAD; its name."""
    say(f"building the image of {stage}")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "image.json"
        program = [sys.executable, str(ROOT / "images" / "build.py"), stage, "--engine", "docker"]
        _run([*program, "--metadata-file", str(told)])
        return str(json.loads(told.read_text())["image"])


def _run(command: list[str]) -> None:
    say(f"  {' '.join(command)}")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}")
