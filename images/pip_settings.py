"""This machine's pip settings and certificates, lent to a build as secrets: no layer keeps them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images.engine import Engine

_LEFT_OUT = ("cert", "disable-pip-version-check", "root-user-action")


@contextmanager
def secrets(folder: Path, engine: Engine) -> Iterator[list[str]]:
    """Options of the engine's build; `folder` holds the secrets meanwhile."""
    found = settings()
    path = folder / "pip.conf"
    lines = [f"{name} = {value}" for name, value in found.items() if name not in _LEFT_OUT]
    path.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    options = [f"--secret=id=pip,src={path}"]
    certificate = found.get("cert") or os.environ.get("SSL_CERT_FILE")
    if certificate and Path(certificate).is_file():
        options.append(f"--secret=id=ca,src={certificate}")
    if engine.podman:
        options += [f"--volume={each}:{each}:ro" for each in local_folders(found)]
    try:
        yield options
    finally:
        path.unlink()


def settings() -> dict[str, str]:
    """What `pip config list` tells: variables win over files, as with pip itself."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in ran.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name.removeprefix(section)] = value.strip("'\"")
    return found


def local_folders(found: dict[str, str]) -> list[str]:
    """Folders of this machine where pip looks for packages."""
    paths = [Path(word.removeprefix("file://")) for word in found.get("find-links", "").split()]
    for name in ("index-url", "extra-index-url"):
        # An index names its files by relative links, so they lie beside it.
        local = (word for word in found.get(name, "").split() if word.startswith("file://"))
        paths += [Path(word.removeprefix("file://")).parent for word in local]
    return sorted({str(path) for path in paths if path.is_absolute() and path.is_dir()})
