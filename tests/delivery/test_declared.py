"""delivery/inputs.toml is true: it has what Dockerfiles copy, manifests run, commands import."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from delivery.inputs import PACKAGE, TABLE, Declared
from delivery.stages import STAGES, image_name
from support.sample import sample_lines

ROOT = Path(__file__).parents[2]
COMPOSER = "pullrisk.wiring.adapters"
"""Imports the adapter that a setting asks for; which ones a stage needs is seen by running it."""
NOT_INPUTS = ("README.md", "LICENSE", "requirements/")
"""Copied, and nothing that runs; the lists that images/build.py makes of pyproject.toml."""
REPORT = """\
import sys
from pullrisk.cli import main
main(sys.argv[2:])
ours = {each.__file__ for name, each in sys.modules.items() if name.split(".")[0] == "pullrisk"}
open(sys.argv[1], "w").write("\\n".join(map(str, ours)))
"""
PULLS = 400
"""Enough to train on."""
RUNS = {
    "data-fetch": ["fetch", "--file", "pulls.jsonl", "--quiet"],
    "spark-preprocess": ["preprocess", "--quiet"],
    "ml-training": ["train", "--no-gate", "--quiet"],
    "model-serving": ["serve", "--port", "0"],
}
"""A run of each stage, in their order; the last has no champion to serve, and ends."""


@cache
def declared(stage: str) -> Declared:
    return Declared.parse((ROOT / TABLE).read_text(encoding="utf-8"), stage)


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pullrisk", exclude_type_checking_imports=True, cache_dir=None)


def file_of(module: str) -> str:
    """The module's path in the repository."""
    path = f"src/{module.replace('.', '/')}"
    return f"{path}.py" if (ROOT / f"{path}.py").exists() else f"{path}/__init__.py"


def dockerfile(stage: str) -> str:
    text = (ROOT / declared(stage).dockerfile).read_text(encoding="utf-8")
    return text.replace("\\\n", " ")


def containers(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "image" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from containers(each)


def commands(stage: str) -> set[str]:
    """What the image is told to run by its Dockerfile, by manifests, and by Spark."""
    found = set(re.findall(r'^CMD \["(\w+)"', dockerfile(stage), re.MULTILINE))
    for label in re.findall(r'io\.pullrisk\.commands="([^"]*)"', dockerfile(stage)):
        found |= set(label.split())
    for path in (ROOT / "argo-apps").rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for container in containers(document):
                if str(container["image"]).partition("@")[0] == image_name(stage):
                    found |= {str(container["args"][0])} if container.get("args") else set()
    return found


def imported(stage: str) -> set[str]:
    """Modules that the stage's commands import, directly or not."""
    waiting = ["pullrisk.__main__", *(f"pullrisk.cli.commands.{each}" for each in commands(stage))]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        own = graph().find_modules_directly_imported_by(module)
        waiting += own if module != COMPOSER else ()
    return seen | {parent for module in seen for parent in parents(module)}


def parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_that_a_stage_imports_is_declared(stage: str) -> None:
    assert commands(stage)
    undeclared = {
        each for each in map(file_of, imported(stage)) if not declared(stage).covers(each)
    }
    assert undeclared == set()


def test_every_path_of_the_table_exists() -> None:
    for stage in STAGES:
        package = [f"{PACKAGE}/{name}" for name in declared(stage).package]
        missing = [
            path for path in package if not list(ROOT.glob(path)) + list(ROOT.glob(f"{path}.py"))
        ]
        missing += [path for path in declared(stage).files if not (ROOT / path).exists()]
        missing += [path for path in declared(stage).more_tests if not (ROOT / path).exists()]
        assert missing == []


@pytest.mark.parametrize("stage", STAGES)
def test_of_every_path_that_a_stage_alone_declares_it_imports_something(stage: str) -> None:
    shared = set.intersection(*(set(declared(each).package) for each in STAGES))
    used = {file_of(module) for module in imported(stage)}
    idle = {
        path
        for path in set(declared(stage).package) - shared
        if not any(each.startswith(f"{PACKAGE}/{path}") for each in used)
    }
    assert idle == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_dockerfile_copies_is_declared(stage: str) -> None:
    lines = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", dockerfile(stage), re.MULTILINE)
    sources = {source for line in lines for source in line.split()} - {"src"}
    assert {"pyproject.toml", "constraints.txt", f"requirements/{stage}.txt"} <= sources
    strange = {path for path in sources if not path.startswith(NOT_INPUTS)}
    assert {path for path in strange if not declared(stage).covers(path)} == set()


def test_what_the_program_that_builds_images_imports_is_declared() -> None:
    code = "import sys, images.build; print(*(n for n in sys.modules if n.startswith('images.')))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [f"{each.replace('.', '/')}.py" for each in ran.stdout.split()]
    assert "images/build.py" in files
    assert [each for each in files if not declared(STAGES[0]).covers(each)] == []


def test_the_tests_of_a_stage_are_those_of_its_folders() -> None:
    assert declared("data-fetch").tests() >= {
        "tests/cli",
        "tests/delivery",
        "tests/fetch",
        "tests/pulls",
        "tests/test_settings.py",
    }
    assert "tests/train" not in declared("data-fetch").tests()
    assert "tests/train" in declared("ml-training").tests()


def test_what_a_stage_imports_when_it_runs_is_declared(tmp_path: Path) -> None:
    """One test for all: each stage works on what the one before it made."""
    pytest.importorskip("deltalake", reason="the extra lake is not installed")
    (tmp_path / "pulls.jsonl").write_bytes(b"".join(sample_lines(PULLS)))
    undeclared = {
        stage: [
            each for each in imported_by_a_run(stage, tmp_path) if not declared(stage).covers(each)
        ]
        for stage in RUNS
    }
    assert not any(undeclared.values()), undeclared


def imported_by_a_run(stage: str, folder: Path) -> list[str]:
    """The files of ours that the stage's run imports; its home lies in the folder."""
    out = folder / f"modules-of-{stage}"
    environment = {"PULLRISK_HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"}
    environment |= {"HOME": str(folder), "OMP_NUM_THREADS": "1"}
    # What was compiled for another test is not compiled again.
    environment |= {name: text for name, text in os.environ.items() if name.startswith("JAX_")}
    ran = subprocess.run(
        [sys.executable, "-c", REPORT, str(out), *RUNS[stage]],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.exists(), ran.stderr
    files = [str(Path(each).relative_to(ROOT)) for each in out.read_text().split()]
    assert len(files) > 10, stage
    return files
