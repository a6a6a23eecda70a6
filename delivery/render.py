"""The manifests of a commit as the cluster would get them."""

import difflib
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from delivery.applications import overlay
from delivery.errors import InputError, RefusedError
from delivery.git import Repository
from delivery.sources import write_sources
from delivery.stages import KUSTOMIZATION, MANIFESTS

_TIMEOUT: Final = 120
# Nothing that kustomize would run or ask: no git, and a proxy that nobody listens at.
_ENVIRONMENT: Final = {
    "PATH": "",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "",
}


@lru_cache(maxsize=8)
def rendered(repository: Repository, commit: str) -> str:
    """What Argo CD would make of the commit for production; nothing is read from a network.

    It is made twice, in two folders. Raises RefusedError if the two differ.
    """
    if KUSTOMIZATION not in repository.tree(commit, MANIFESTS):
        raise InputError(f"{KUSTOMIZATION} is not in {commit[:12]}")
    first, second = (_render(repository, commit) for _ in range(2))
    if first != second:
        raise RefusedError(f"the manifests of {commit[:12]} render differently each time")
    return first


def difference(old: str, new: str) -> str:
    """A unified diff of two renderings."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), "main", "staging"
    )
    return "".join(lines)


def _render(repository: Repository, commit: str) -> str:
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        write_sources(repository, commit, folder)
        return _kustomize(folder, overlay(folder))


def _kustomize(folder: Path, path: str) -> str:
    program = shutil.which("kubectl") or shutil.which("kubectl", path=Path(sys.executable).parent)
    if program is None:
        raise InputError("kubectl is not installed", hint="manifests are rendered with it")
    done = subprocess.run(  # noqa: S603
        [program, "kustomize", str(folder / path)],
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
        env=_ENVIRONMENT | {"HOME": str(folder)},
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace(f"{folder}/", "")
        raise RefusedError(f"the manifests do not render: {said}")
    try:
        return done.stdout.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(f"the manifests are not UTF-8: {error}") from None
