"""What an extra brings, and an installation that holds just that, made of links to this one's."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(extra: str) -> set[str]:
    """Every package that `pip install 'pullrisk[extra]'` brings; of "", without an extra.

    Skips the test where one is not installed.
    """
    packages: set[tuple[str, str]] = set()
    options = PROJECT["optional-dependencies"]
    waiting = [("pullrisk", extra)]
    while waiting:
        name, option = waiting.pop()
        if (name, option) in packages:
            continue
        packages.add((name, option))
        if name == "pullrisk":
            lines = [*PROJECT["dependencies"], *(options[option] if option else ())]
        else:
            try:
                lines = distribution(name).requires or []
            except PackageNotFoundError:
                pytest.skip(f"{name} of the extra {extra} is not installed")
        waiting += _named(lines, option)
    return {name for name, _ in packages} - {"pullrisk"}


def _named(lines: Iterable[str], option: str) -> list[tuple[str, str]]:
    """The packages of those requirements that hold here, once for each extra of theirs."""
    each = [Requirement(line) for line in lines]
    holds = [one for one in each if one.marker is None or one.marker.evaluate({"extra": option})]
    return [
        (canonicalize_name(one.name), more) for one in holds for more in ("", *sorted(one.extras))
    ]


def install(extra: str, folder: Path) -> None:
    """Links in the folder to the packages that the extra brings, and to pullrisk's source."""
    folder.mkdir()
    for name in required(extra):
        site, files = _installed(name)
        for parts in files:
            _link(site, parts, folder)
    (folder / "pullrisk").symlink_to(ROOT / "src" / "pullrisk")
    for metadata in Path(str(distribution("pullrisk").locate_file(""))).glob(
        "pullrisk-*.dist-info"
    ):
        (folder / metadata.name).symlink_to(metadata)


@cache
def _installed(name: str) -> tuple[Path, list[tuple[str, ...]]]:
    """Where the package is, and the parts of each of its paths."""
    one = distribution(name)
    return Path(str(one.locate_file(""))), [path.parts for path in one.files or ()]


def _link(site: Path, parts: tuple[str, ...], folder: Path) -> None:
    """A link to the first part that is one package's own: `google` is of several."""
    if ".." in parts or "__pycache__" in parts[:1]:
        return
    for depth in range(1, len(parts) + 1):
        source, target = site.joinpath(*parts[:depth]), folder.joinpath(*parts[:depth])
        if target.is_symlink():
            return
        if depth == len(parts) or (source / "__init__.py").exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
            return


def run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """This Python, which sees the folder's packages and no other, with these arguments."""
    program = f"import sys; sys.path[:0] = {[str(folder)]!r}; exec(sys.argv.pop(1))"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def modules(package: Path, name: str) -> Iterator[str]:
    """The names of every module of a package, `__main__` apart."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join((name, *(part for part in parts if part != "__init__")))
