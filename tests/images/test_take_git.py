"""git with its libraries, taken out of this machine's Debian packages for another tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from images import take_git

HERE = all(Path(program).exists() for program in take_git.PROGRAMS)
pytestmark = pytest.mark.skipif(
    not HERE or shutil.which("dpkg-query") is None,
    reason="git is not installed from Debian's packages here",
)


def take(base: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    base.mkdir(exist_ok=True)
    command = [sys.executable, take_git.__file__, str(base), str(out)]
    return subprocess.run(command, capture_output=True, text=True)


def library(program: str, name: str) -> Path:
    """Where a library of the program lies here."""
    return next(Path(each) for each in take_git.loaded(program) if Path(each).name.startswith(name))


def test_into_an_empty_tree_all_of_it_is_copied_with_what_dpkg_knows(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = take(tmp_path / "base", out)
    assert done.returncode == 0, done.stderr
    noted = {path.name for path in (out / "var/lib/dpkg/status.d").iterdir()}
    assert {"git", "dash", "libc6", "zlib1g"} <= noted
    assert "Package: git\n" in (out / "var/lib/dpkg/status.d/git").read_text()
    assert (out / "usr/share/doc/git/copyright").exists()
    folders = {str(path.parent) for path in out.rglob("*.so*")}
    environment = {"LD_LIBRARY_PATH": ":".join(folders), "GIT_EXEC_PATH": f"{out}/usr/lib/git-core"}
    said = subprocess.run(
        [out / "usr/bin/git", "ls-remote", "https://127.0.0.1:1/o/r.git"],
        env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert "Failed to connect to 127.0.0.1" in said.stderr, "git-remote-https speaks"


@pytest.mark.parametrize("below", ["lib", "usr/lib"])
def test_what_the_base_has_is_left_to_it(tmp_path: Path, below: str) -> None:
    there = library("/usr/bin/git", "libz.")
    own = tmp_path / "base" / below / there.parent.name / there.name
    own.parent.mkdir(parents=True)
    shutil.copy(there, own)
    done = take(tmp_path / "base", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "out").rglob("libz.*"))
    assert not (tmp_path / "out/var/lib/dpkg/status.d/zlib1g").exists()


def test_a_library_of_the_base_that_does_not_fit_ends_the_build(tmp_path: Path) -> None:
    there = library("/usr/bin/git", "libz.")
    other = library("/usr/bin/git", "libpcre2")
    wrong = tmp_path / "base" / "lib" / there.parent.name / there.name
    wrong.parent.mkdir(parents=True)
    shutil.copy(other, wrong)
    done = take(tmp_path / "base", tmp_path / "out")
    assert done.returncode == 1
    assert "/usr/bin/git: " in done.stderr
    assert there.name in done.stderr


def test_what_no_tree_has_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    take(tmp_path / "base", out)
    for path in out.rglob("libcurl-gnutls*"):
        path.unlink()
    told = list(take_git.unresolved("/usr/lib/git-core/git-remote-https", (out, tmp_path / "base")))
    assert told
    assert all("libcurl-gnutls" in each for each in told)


def test_a_file_of_no_package_ends_the_build(tmp_path: Path) -> None:
    stray = tmp_path / "stray"
    stray.touch()
    with pytest.raises(SystemExit, match="of no package"):
        take_git.packages([str(stray)])
