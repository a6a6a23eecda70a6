"""Install built wheels into clean environments, and use them as a person would.

    try_package.py DIST                  # the plain package scores a small clone: each wheel that
                                         # fits this machine, with the same answers
    try_package.py DIST --demo SAMPLE    # and `pullrisk run` with the extra demo
    try_package.py DIST --extras         # and each extra installs alone
    try_package.py DIST --runners        # and uvx and pipx run it

Needs git, pip, and a registry of packages; nothing of this project but the wheels.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PULLS = 60
APART = {"dev", "gpu"}
"""Extras that are not tried: of development, and of CUDA."""


class Environment:
    """A virtual environment without pip; this Python's pip installs into it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self._programs = folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, wheel: Path, extra: str = "") -> float:
        """Install the wheel with an extra, at the versions that are tested; returns seconds."""
        began = time.monotonic()
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        python = self._programs / ("python.exe" if os.name == "nt" else "python")
        run(
            *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"),
            *("--disable-pip-version-check", "--no-compile", "--only-binary", ":all:"),
            *("--constraint", str(ROOT / "constraints.txt"), wanted),
        )
        return time.monotonic() - began

    def pullrisk(self, *arguments: str, home: Path) -> str:
        """What the command prints."""
        return run(str(self._programs / "pullrisk"), *arguments, PULLRISK_HOME=str(home))


def run(*command: str, **variables: str) -> str:
    """Run a command outside any checkout; returns what it prints."""
    done = subprocess.run(
        command, env={**os.environ, **variables}, cwd=tempfile.gettempdir(), check=False,
        stdout=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def wheels(dist: Path) -> list[Path]:
    """The wheel that pip would take on this machine, and that of Python alone."""
    pure = sorted(dist.glob("pullrisk-*-none-any.whl"))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-index"]
        places = ["--find-links", str(dist), "--dest", folder, "--only-binary", ":all:"]
        run(*command, "--disable-pip-version-check", *places, "pullrisk")
        (taken,) = Path(folder).iterdir()
    return list(dict.fromkeys([dist / taken.name, *pure]))


def make_clone(path: Path) -> Path:
    """A repository of squashed pull requests, by three people, the fourth of each a fix."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    commits = []
    for number in range(1, PULLS + 1):
        who = f"{('ann', 'bob', 'eve')[number % 3]} <p{number % 3}@example.org>"
        when = f"{1_700_000_000 + 40_000 * number} +0000"
        title = f"{'Fix' if number % 4 == 0 else 'Add'} part {number // 4} (#{number})"
        lines = "".join(f"value_{line} = {number}\n" for line in range(number % 9 + 3))
        commits.append(
            f"commit refs/heads/main\nauthor {who} {when}\ncommitter {who} {when}\n"
            f"data {len(title)}\n{title}\n"
            f"M 100644 inline part_{number // 4}.py\ndata {len(lines)}\n{lines}\n"
        )
    text = "".join(commits).encode()
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=text, check=True)
    return path


def try_core(dist: Path, folder: Path) -> None:
    """Score the clone with the plain package of each wheel, and compare the answers."""
    clone, answers = make_clone(folder / "clone"), []
    for place, wheel in enumerate(wheels(dist)):
        environment = Environment(folder / f"core-{place}")
        seconds = environment.install(wheel)
        began, home = time.monotonic(), folder / f"home-{place}"
        home.mkdir()
        (home / "salt").write_bytes(bytes(32))  # so that all give people the same names
        answers.append(
            environment.pullrisk("score", "-q", "--git", str(clone), "--json", home=home)
        )
        for words in (["explain", "-q", "--git"], ["top", "-q", "--git"], ["check", "-q"]):
            environment.pullrisk(*words, str(clone), home=home)
        print(
            f"{wheel.name}: installed in {seconds:.1f} s, {megabytes(folder / f'core-{place}')} MB;"
            f" score, explain, top and check in {time.monotonic() - began:.1f} s"
        )
    if len(set(answers)) != 1 or '"risk":' not in answers[0]:
        raise SystemExit("the wheels do not give the same scores")


def try_demo(dist: Path, folder: Path, sample: Path) -> None:
    """Run the whole pipeline on a file of the sample."""
    environment = Environment(folder / "demo")
    seconds = environment.install(wheels(dist)[0], "demo")
    began = time.monotonic()
    environment.pullrisk("run", "--file", str(sample.resolve()), home=folder / "home-demo")
    print(f"demo: installed in {seconds:.1f} s, ran in {time.monotonic() - began:.1f} s")


def try_extras(dist: Path, folder: Path) -> None:
    """Install each extra into an environment of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in sorted({*project["optional-dependencies"]} - APART):
        place = folder / f"extra-{extra}"
        environment = Environment(place)
        seconds = environment.install(wheels(dist)[0], extra)
        environment.pullrisk("doctor", home=folder / f"home-{extra}")
        print(f"{extra}: installed in {seconds:.1f} s, {megabytes(place)} MB")
        shutil.rmtree(place)


def try_runners(dist: Path) -> None:
    """Run it by uvx and pipx, from the wheel."""
    wheel = str(wheels(dist)[0])
    for command in (["uvx", "--from", wheel], ["pipx", "run", "--spec", wheel]):
        if shutil.which(command[0]) is None:
            raise SystemExit(f"{command[0]} is not installed: pip install uv pipx")
        print(f"{command[0]}: {run(*command, 'pullrisk', '--version').strip()}")


def megabytes(folder: Path) -> int:
    """The size of its files."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def main() -> int:
    """Try what is asked for; ends with a message at the first failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dist", type=Path, help="the folder of the wheels")
    parser.add_argument("--demo", type=Path, metavar="SAMPLE")
    parser.add_argument("--extras", action="store_true")
    parser.add_argument("--runners", action="store_true")
    options = parser.parse_args()
    dist = options.dist.resolve()
    with tempfile.TemporaryDirectory(prefix="pullrisk-try-") as name:
        folder = Path(name)
        try_core(dist, folder)
        if options.demo:
            try_demo(dist, folder, options.demo)
        if options.extras:
            try_extras(dist, folder)
    if options.runners:
        try_runners(dist)
    return 0


if __name__ == "__main__":
    sys.exit(main())
