"""Installs one stage's packages or pullrisk itself into a folder; runs inside a build.

    install.py dependencies LIST FOLDER      # locked by constraints.txt
    install.py tools LIST                    # what builds pullrisk's wheel, locked too
    install.py wheel FOLDER                  # that wheel, with the compiled fold
    install.py code FOLDER WHEELS            # that wheel, unpacked

Two runs leave the same bytes: wheels only, no time stamps, bytecode that names no time.
"""

import compileall
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from py_compile import PycInvalidationMode

HERE = Path(__file__).parent
TOOLS = HERE / "tools"
MOMENT = 315_532_800
"""1980-01-01, the oldest that a zip file can hold: the time of every file."""
FROM_SOURCE = ("pyspark",)
"""What its makers publish without a wheel; all else has to be one."""
NOTES = ("RECORD", "direct_url.json", "INSTALLER", "REQUESTED")
"""What pip notes beside a package for its own use; there is no pip later."""


def main(work: str, *arguments: str) -> None:
    """Do one of the four."""
    works: dict[str, Callable[..., None]] = {
        "dependencies": dependencies,
        "tools": tools,
        "wheel": wheel,
        "code": code,
    }
    works[work](*arguments)


def dependencies(listed: str, folder: str) -> None:
    """The distributions of a list, at the versions of constraints.txt."""
    pip(folder, "--requirement", listed)
    prune(Path(folder))
    settle(Path(folder))


def tools(listed: str) -> None:
    """What builds the wheel."""
    pip(str(TOOLS), "--requirement", listed)


def wheel(folder: str) -> None:
    """Build the wheel of the sources beside this file."""
    own = {"PYTHONPATH": str(TOOLS), "PULLRISK_COMPILE": "1", "SOURCE_DATE_EPOCH": str(MOMENT)}
    alone = ("--no-deps", "--no-index", "--no-build-isolation")
    run_pip("wheel", *alone, "--wheel-dir", folder, str(HERE), **own)


def code(folder: str, wheels: str) -> None:
    """Unpack the wheel."""
    pip(folder, "--no-deps", "--no-index", *map(str, Path(wheels).glob("*.whl")))
    settle(Path(folder))


def pip(folder: str, *arguments: str) -> None:
    """pip install into the folder, at the locked versions."""
    wheels = ("--only-binary=:all:", f"--no-binary={','.join(FROM_SOURCE)}")
    run_pip("install", "--no-compile", *wheels, "--target", folder, *arguments)


def run_pip(*arguments: str, **environment: str) -> None:
    """Run pip with the settings of the build's secrets, where there are any."""
    for name, secret in (("PIP_CONFIG_FILE", "pip"), ("PIP_CERT", "ca")):
        if (path := Path("/run/secrets", secret)).exists():
            environment[name] = str(path)
    command = [sys.executable, "-m", "pip", arguments[0], "--disable-pip-version-check"]
    quiet = {"PIP_ROOT_USER_ACTION": "ignore", "PIP_PROGRESS_BAR": "off"}
    quiet["PIP_CACHE_DIR"] = "/var/cache/pip"  # which the Dockerfiles mount
    environment["PIP_CONSTRAINT"] = str(HERE / "constraints.txt")  # for what builds, too
    subprocess.run([*command, *arguments[1:]], env=os.environ | quiet | environment, check=True)


def prune(folder: Path) -> None:
    """Delete and strip what prune.toml lists: what no stage runs."""
    listed = tomllib.loads((HERE / "prune.toml").read_text(encoding="utf-8"))
    for package, entry in listed.items():
        top = folder if package == "every" else folder / package
        for pattern in entry.get("delete", ()):
            delete(top, pattern)
        for path in (path for pattern in entry.get("strip", ()) for path in top.glob(pattern)):
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)


def delete(folder: Path, pattern: str) -> None:
    """Delete the files and folders of that pattern."""
    for path in sorted(folder.glob(pattern)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Compile to bytecode that is never checked against a time, and give every file one time."""
    for name in NOTES:
        delete(folder, f"*.dist-info/{name}")
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and path.name == "__pycache__":
            shutil.rmtree(path)
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, stripdir=folder, invalidation_mode=unchecked)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (MOMENT, MOMENT))


if __name__ == "__main__":
    main(*sys.argv[1:])
