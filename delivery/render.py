"""The manifests of a commit as the cluster would get them, and the images in them."""

import difflib
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from delivery.applications import overlay
from delivery.errors import InputError, RefusedError
from delivery.git import Repository
from delivery.kustomization import digests
from delivery.stages import KUSTOMIZATION, MANIFESTS, THIRD_PARTY, image_name

_TIMEOUT: Final = 120
_OURS: Final = re.compile(r"registry\.digitalocean\.com/[^\s\"',]+")
_PINNED: Final = re.compile(r"(?P<name>[^@:]+)@sha256:[0-9a-f]{64}")
_LOCAL: Final = ("resources", "components", "configurations", "crds", "bases")
_FOREIGN: Final = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers")


@lru_cache(maxsize=8)
def rendered(repository: Repository, commit: str) -> str:
    """What Argo CD would make of the commit for production; nothing is read from a network."""
    if KUSTOMIZATION not in repository.tree(commit, MANIFESTS):
        raise InputError(f"{KUSTOMIZATION} is not in {commit[:12]}")
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            with tarfile.open(fileobj=io.BytesIO(repository.git("archive", commit))) as archive:
                archive.extractall(folder, filter="data")
        except tarfile.FilterError as error:
            raise RefusedError(f"a file of {commit[:12]} leads out of it: {error}") from None
        for path in folder.rglob("kustomization.y*ml"):
            _only_local(path, folder)
        return _kustomize(folder, overlay(folder))


def check_images(manifests: str, kustomization: str) -> None:
    """Raises RefusedError for an image that is neither a stage's at its digest nor allowed."""
    wanted = {f"{image_name(stage)}@{each}" for stage, each in digests(kustomization).items()}
    named = set(_OURS.findall(manifests))
    for document in yaml.safe_load_all(manifests):
        named |= set(_images(document))
    if strange := sorted(each for each in named - wanted if not _third_party(each)):
        raise RefusedError(
            f"the manifests run {', '.join(strange)}",
            hint="an image is a stage's, by its digest in kustomization.yaml, or a third party's "
            "that delivery/stages.py lists, by digest",
        )


def difference(old: str, new: str) -> str:
    """A unified diff of two renderings."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), "main", "staging"
    )
    return "".join(lines)


def _third_party(image: str) -> bool:
    pinned = _PINNED.fullmatch(image)
    return bool(pinned) and pinned["name"] in THIRD_PARTY  # type: ignore[index]


def _kustomize(folder: Path, path: str) -> str:
    program = shutil.which("kubectl") or shutil.which("kubectl", path=Path(sys.executable).parent)
    if program is None:
        raise InputError("kubectl is not installed", hint="manifests are rendered with it")
    done = subprocess.run(  # noqa: S603
        [program, "kustomize", str(folder / path)],
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace(f"{folder}/", "")
        raise RefusedError(f"the manifests do not render: {said}")
    return done.stdout.decode()


def _only_local(path: Path, folder: Path) -> None:
    """A kustomization names nothing outside the commit: nobody reviewed what is not in it."""
    shown = path.relative_to(folder)
    try:
        found = yaml.safe_load(path.read_bytes()) or {}
    except yaml.YAMLError as error:
        raise RefusedError(f"{shown} is not YAML: {error}") from None
    if foreign := [key for key in _FOREIGN if found.get(key)]:
        raise RefusedError(f"{shown} uses {foreign[0]}")
    for entry in (str(each) for key in _LOCAL for each in found.get(key) or ()):
        target = (path.parent / entry).resolve()
        if not target.exists() or not target.is_relative_to(folder):
            raise RefusedError(f"{shown} names {entry}, which is not in the commit")
    if remote := [text for text in _texts(found) if "://" in text]:
        raise RefusedError(f"{shown} names {remote[0]}, which is not in the commit")


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _texts(each)
    elif isinstance(node, str):
        yield node


def _images(node: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            yield from _images(value)
    elif isinstance(node, list):
        for each in node:
            yield from _images(each)
