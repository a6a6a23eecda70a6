"""Environments of peers, which need what pullrisk does not: each below .pullrisk/peers.

They are made at the first run of the benchmark that needs them, and kept.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).resolve().parents[1] / ".pullrisk" / "peers"


def install(name: str, *packages: str) -> Path | None:
    """The programs of an environment with these packages; None where they cannot be had."""
    folder, requirements = PEERS / name, " ".join(packages)
    installed = folder / "installed"
    if not installed.exists() or installed.read_text() != requirements:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        ran = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
        if ran.returncode:
            print(f"{name} is left out: {ran.stderr.strip()[-300:]}", file=sys.stderr)
            return None
        installed.write_text(requirements)
    return folder / "bin"


def make_importable(name: str, *packages: str) -> None:
    """Let this process import such packages too, after all that it has itself.

    Raises SystemExit where they cannot be had.
    """
    if install(name, *packages) is None:
        raise SystemExit(f"the benchmark needs {', '.join(packages)}")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.append(str(PEERS / name / "lib" / version / "site-packages"))
