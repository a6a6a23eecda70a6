"""The container engine of this machine, podman or docker, and what a build needs to know of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""For podman as root on a machine without systemd, as in CI."""


class EngineError(Exception):
    """What an engine said, for a person."""


class Engine:
    """podman or docker, by the few commands that both have."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = dict(os.environ)
        if name == "podman" and _bare_root() and "CONTAINERS_CONF" not in os.environ:
            self.environment["CONTAINERS_CONF"] = str(_conf())

    @property
    def podman(self) -> bool:
        """Whether it is podman."""
        return self.name == "podman"

    def run(self, *arguments: str, seconds: float | None = None) -> str:
        """Standard output of a command. Raises EngineError with what it wrote otherwise."""
        try:
            ran = subprocess.run(
                [self.name, *arguments],
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"{self.name} {arguments[0]} took more than {seconds} s") from None
        if ran.returncode:
            raise EngineError(f"{self.name} {arguments[0]}: {ran.stderr.strip()}")
        return ran.stdout.strip()

    def show(self, *arguments: str) -> None:
        """Run a command that talks to the person; on standard error. Raises EngineError."""
        command = [self.name, *arguments]
        ran = subprocess.run(command, env=self.environment, stdout=sys.stderr, check=False)
        if ran.returncode:
            raise EngineError(f"{self.name} {arguments[0]} ended with {ran.returncode}")

    def id(self, image: str) -> str | None:
        """The image's id, sha256:…, None if there is no such image."""
        try:
            found = self.run("image", "inspect", "--format", "{{.Id}}", image)
        except EngineError:
            return None
        return f"sha256:{found.removeprefix('sha256:')}"

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """What the engine knows of an image or a container."""
        found: dict[str, Any] = json.loads(self.run(kind, "inspect", name))[0]
        return found


def find(names: Sequence[str] = ("podman", "docker")) -> Engine:
    """The first of these that runs here. Raises EngineError that says why none does."""
    reasons = []
    for name in names:
        if shutil.which(name) is None:
            reasons.append(f"{name} is not installed")
            continue
        engine = Engine(name)
        try:
            engine.run("info", seconds=60)
        except EngineError as error:
            reasons.append(str(error).partition("\n")[0])
        else:
            return engine
    raise EngineError(f"no container engine: {'; '.join(reasons)}")


def _bare_root() -> bool:
    return os.geteuid() == 0 and not Path("/run/systemd/system").exists()


def _conf() -> Path:
    """The settings, in a file of this user alone: the machine's own stay as they are."""
    path = Path(tempfile.gettempdir(), f"pullrisk-containers-{os.geteuid()}.conf")
    path.write_text(CONF, encoding="utf-8")
    return path


def main() -> int:
    """Print which engine there is; exit with 1 if there is none."""
    try:
        print(find().name)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
