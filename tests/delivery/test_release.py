"""A release: which tag may be one, what is said of it, and the order of release.yml's jobs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import release

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-27

### Added

- A thing.

## [1.1.0] - 2026-10-01

- Older.

[1.1.0]: https://example.org/1.1.0
"""


def jobs() -> dict[str, dict[str, Any]]:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["jobs"]
    return found


@pytest.mark.parametrize(
    ("tag", "said"),
    [("v1.2.0", "### Added\n\n- A thing."), ("v1.1.0", "- Older.")],
)
def test_the_notes_are_the_section_of_the_version(tag: str, said: str) -> None:
    assert release.notes(tag, own=tag[1:], changelog=CHANGELOG) == said


@pytest.mark.parametrize(
    ("tag", "own", "changelog", "said"),
    [
        ("1.2.0", "1.2.0", CHANGELOG, "is no tag of a release"),
        ("v1.2", "1.2", CHANGELOG, "is no tag of a release"),
        ("v1.2.0", "1.3.0", CHANGELOG, "is not the version of pyproject.toml, which is 1.3.0"),
        ("v1.3.0", "1.3.0", CHANGELOG, "has no section of 1.3.0"),
        ("v1.2.0", "1.2.0", CHANGELOG.replace(" - 2026-11-27", ""), "gives 1.2.0 no day"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, own: str, changelog: str, said: str) -> None:
    with pytest.raises(release.ReleaseError, match=re.escape(said)):
        release.notes(tag, own=own, changelog=changelog)


def test_the_version_stands_in_one_place() -> None:
    own = release.version()
    listed = ["git", "grep", "-lF", f'"{own}"', "--", "*.py", "*.toml", "*.yml"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    assert [path for path in found.stdout.split() if not path.startswith("tests/")] == [
        "pyproject.toml"
    ]


def test_what_is_published_was_built_before_any_credential_and_tested_before_that() -> None:
    found = jobs()
    order = [found[name]["needs"] for name in ("test", "demo", "attest", "publish", "release")]
    assert order == [
        ["source", "wheels"], ["source", "wheels"], ["test", "demo"], "attest", "publish",
    ]  # fmt: skip
    for name in ("attest", "publish", "release"):
        used = [step.get("uses", "") for step in found[name]["steps"]]
        assert not any("checkout" in each for each in used), "it takes the files that were tested"
        patterns = {step["with"].get("pattern") for step in found[name]["steps"] if "with" in step}
        assert "dist-*" in patterns
    systems = {each.split("-")[0] for each in found["test"]["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "tools/release.py"), "build", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_wheel_of_the_sdist_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith("/METADATA")]
    listed = ["git", "ls-files", "src/pullrisk"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    own = {name for name in names if not name.startswith("pullrisk-")}
    assert own >= {path.removeprefix("src/") for path in tracked.stdout.split("\n") if path}
    assert {"pullrisk/py.typed", "pullrisk/model/general.onnx"} <= own
    assert {name.split("/")[0] for name in own} == {"pullrisk"}
    assert f"Version: {release.version()}\n" in metadata
    assert "Requires-Dist: pyarrow" not in metadata.split("Provides-Extra")[0]


def test_the_sdist_is_small(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    assert sdist.stat().st_size < 4_000_000
