"""What release.yml asks of the project: may this tag be released, what is said of it, the builds.

release.py notes v1.2.0             # the changelog's section; an error if the tag does not fit
release.py build FOLDER             # sdist, and of it the wheel of Python alone
release.py build FOLDER --compiled  # and one for this machine, its fold compiled
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TAG = re.compile(r"v(?P<version>(?P<major>\d+)\.\d+\.\d+)")
_SECTION = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<day>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_LINK = re.compile(r"^\[[^]]+\]: ", re.MULTILINE)


class ReleaseError(Exception):
    """The tag cannot be released."""


def version() -> str:
    """The version of the package, which stands in pyproject.toml and nowhere else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def notes(tag: str, *, own: str, changelog: str) -> str:
    """What the changelog says of the tag's version. Raises ReleaseError if they do not fit."""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise ReleaseError(f"{tag} is no tag of a release: v1.2.3")
    if found["version"] != own:
        raise ReleaseError(f"{tag} is not the version of pyproject.toml, which is {own}")
    sections = list(_SECTION.finditer(changelog))
    for section, following in zip(sections, [*sections[1:], None], strict=True):
        if section["version"] == own:
            if section["day"] is None:
                raise ReleaseError(f"CHANGELOG.md gives {own} no day: ## [{own}] - 2026-01-31")
            text = changelog[section.end() : following.start() if following else None]
            return _LINK.split(text)[0].strip()
    raise ReleaseError(f"CHANGELOG.md has no section of {own}: rename [Unreleased]")


def build(folder: Path, *, compiled: bool) -> list[Path]:
    """Build the sdist, and of its content the wheels; returns the files.

    The build's own tools are those of this environment (`make setup`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("pullrisk-*"):
        old.unlink()
    _hatchling(ROOT, "sdist", folder)
    (sdist,) = folder.glob("pullrisk-*.tar.gz")
    with tempfile.TemporaryDirectory(prefix="pullrisk-release-") as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        source = Path(unpacked) / sdist.name.removesuffix(".tar.gz")
        for choice in ("0", "1") if compiled else ("0",):
            _hatchling(source, "wheel", folder, PULLRISK_COMPILE=choice)
    return sorted(folder.glob("pullrisk-*"))


def _hatchling(source: Path, target: str, folder: Path, **variables: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory"]
    environment = {**os.environ, **variables}
    subprocess.run([*command, str(folder.resolve())], cwd=source, env=environment, check=True)


def main() -> int:
    """Print the notes, or build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("notes").add_argument("tag")
    building = commands.add_parser("build")
    building.add_argument("folder", type=Path)
    building.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    try:
        if options.command == "build":
            for path in build(options.folder, compiled=options.compiled):
                print(f"{path.stat().st_size / 1e6:6.2f} MB  {path.name}")
        else:
            changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
            print(notes(options.tag, own=version(), changelog=changelog))
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
