"""Copies git, as data-fetch runs it, out of Debian's packages; runs inside a build.

    take_git.py BASE OUT

OUT gets what fetches over HTTPS and reads a clone, the shell that starts a credential helper, and
those of their libraries that are missing in BASE, the tree of the image that it is for. dpkg's
notes come with each package, so that scanners and the bill of materials know of it. It ends with 1
when a program would not find all that it needs in the two trees together.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PROGRAMS = ("/usr/bin/git", "/usr/lib/git-core/git-remote-https", "/usr/bin/dash")
_LIBRARY = re.compile(r"^\s*(\S+) => (/\S+) \(", re.MULTILINE)
_LOADER = re.compile(r"^\s*(/\S+) \(", re.MULTILINE)
_OWNER = re.compile(r"^([\w.+-]+)(?::\w+)?: (/\S+)$", re.MULTILINE)


def main(base: str, out: str) -> int:
    """Copy all of it, then try what was copied."""
    trees = (Path(out), Path(base))
    libraries = {place for program in PROGRAMS for place in loaded(program)}
    missing = {each for each in libraries if not any(map(Path.exists, places(each, trees[1])))}
    copied = [copy(each, trees[0]) for each in (*PROGRAMS, *sorted(missing))]
    for package in packages(copied):
        note(package, trees[0])
    problems = [why for program in PROGRAMS for why in unresolved(program, trees)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


def loaded(program: str) -> list[str]:
    """Where the libraries lie that the program loads here."""
    return [place for _, place in _LIBRARY.findall(run("ldd", program))]


def places(name: str, tree: Path = Path("/")) -> list[Path]:
    """Where a file of /usr may lie: in some trees /lib is a folder, in others a link into /usr."""
    bare = name.removeprefix("/usr").lstrip("/")
    return [tree / bare, tree / "usr" / bare]


def copy(name: str, out: Path) -> str:
    """Copy a file; of a link also what it leads to. Returns where that lies."""
    source = Path(name).resolve()
    target = out / source.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    if Path(name).name != source.name:
        target.with_name(Path(name).name).symlink_to(source.name)
    return str(source)


def packages(files: Iterable[str]) -> set[str]:
    """The packages that brought the files. Ends the program if one is of none."""
    wanted = {each: set(map(str, places(each))) for each in files}
    asked = subprocess.run(
        ["dpkg-query", "--search", *sorted({one for each in wanted.values() for one in each})],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    owners = {place: package for package, place in _OWNER.findall(asked.stdout)}
    if strays := sorted(name for name, there in wanted.items() if not there & owners.keys()):
        raise SystemExit(f"of no package: {', '.join(strays)}")
    return set(owners.values())


def note(package: str, out: Path) -> None:
    """What dpkg knows of the package, where distroless images keep it, and its licence."""
    status = out / "var/lib/dpkg/status.d" / package
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(run("dpkg-query", "--status", package), encoding="utf-8")
    licence = Path("/usr/share/doc", package, "copyright")
    if licence.exists():
        target = out / licence.relative_to("/")
        target.parent.mkdir(parents=True)
        shutil.copy(licence, target)


def unresolved(program: str, trees: tuple[Path, Path]) -> Iterator[str]:
    """What the program's loader finds in neither tree, or cannot use."""
    (loader,) = _LOADER.findall(run("ldd", program))
    folders = sorted({str(Path(place).parent) for place in loaded(program)})
    paths = [place for tree in trees for folder in folders for place in places(folder, tree)]
    tried = subprocess.run(
        [loader, "--inhibit-cache", "--library-path", ":".join(map(str, paths)),
         "--list", str(trees[0]) + program],
        env={"LD_WARN": "yes", "LD_BIND_NOW": "yes"},  # tell of every symbol, as ldd -r does
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode or tried.stderr:
        yield f"{program}: {tried.stderr.strip()}"
    for name, place in _LIBRARY.findall(tried.stdout):
        if not any(Path(place).is_relative_to(tree) for tree in trees):
            yield f"{program}: {name} is in neither tree"


def run(*command: str) -> str:
    """The program's output."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
