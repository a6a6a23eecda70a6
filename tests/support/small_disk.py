"""Programs in a process of their own, also beside a disk that is nearly full."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run(command: list[str], *modules: Path) -> str:
    """What a subprocess that can import what the test can prints, and those in `modules`."""
    paths = os.pathsep.join([*map(str, modules), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_on_small_disk(script: str, path: Path, program: str, *modules: Path) -> str:
    """Run a shell script ("$@" is the Python program) with a real disk of 2 MB under `path`."""
    own = [shutil.which("unshare") or "false", "--map-root-user", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("nobody may mount a file system in a namespace here: run as root")
    script = 'disk="$0"; mount -t tmpfs -o size=2m none "$disk" && ' + script
    python = [sys.executable, "-c", program, str(path)]
    return run([*own, "sh", "-c", script, str(path.parent), *python], *modules)
