"""How long `pullrisk score --git` takes on real clones: first, second, and a day of commits later.

    make bench-score_git ARGS="~/src/ruff ~/src/laravel"

Each clone is read through a bare one that borrows its objects, so nothing of it is changed. Its
branch first ends a day before the last commit. Each run is a process of its own; the peak memory
is that of pullrisk, and beside it that of the largest git program that it ran.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_DAY = 86_400
_RUN = """
import json, resource, sys
from pullrisk.cli import main
code = main(sys.argv[2:])
who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
peaks = [resource.getrusage(each).ru_maxrss for each in who]
with open(sys.argv[1], "w") as file:
    json.dump(peaks, file)
sys.exit(code)
"""


@dataclass
class Run:
    """One run: wall and CPU seconds (git's too), peaks in MB."""

    seconds: float
    cpu: float
    memory: float
    git_memory: float


def main() -> None:
    """Measure each clone and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("clones", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = {}
    for clone in arguments.clones:
        with TemporaryDirectory(prefix="pullrisk-bench-") as folder:
            measured[clone.name if clone.name != "repo" else clone.parent.name] = measure(
                clone.expanduser().resolve(), Path(folder)
            )
    if arguments.json:
        print(
            json.dumps(
                {
                    name: {when: asdict(run) for when, run in runs.items()}
                    for name, runs in measured.items()
                }
            )
        )
        return
    print("| clone | run | seconds | CPU seconds | peak MB | git's peak MB |")
    print("|---|---|---|---|---|---|")
    for name, runs in measured.items():
        for when, run in runs.items():
            print(
                f"| {name} | {when} | {run.seconds:.1f} | {run.cpu:.1f} "
                f"| {run.memory:.0f} | {run.git_memory:.0f} |"
            )


def measure(clone: Path, folder: Path) -> dict[str, Run]:
    """The three runs on one clone."""
    head, earlier = borrow(clone, folder / "clone")
    point_at(folder / "clone", earlier)
    runs = {"first": score(folder), "second": score(folder)}
    point_at(folder / "clone", head)
    commits = git(folder / "clone", "rev-list", "--count", "--first-parent", f"{earlier}..{head}")
    return {**runs, f"{commits} commits later": score(folder)}


def borrow(clone: Path, own: Path) -> tuple[str, str]:
    """A bare clone without objects; the branch's last commit, and the last one a day before."""
    head = git(clone, "rev-parse", "HEAD^{commit}")
    git(clone, "init", "-q", "--bare", "--initial-branch=main", str(own))
    objects = git(clone, "rev-parse", "--git-path", "objects")
    (own / "objects" / "info" / "alternates").write_text(f"{(clone / objects).resolve()}\n")
    last = int(git(clone, "show", "-s", "--format=%ct", head))
    earlier = git(clone, "rev-list", "-1", "--first-parent", f"--before={last - _DAY}", head)
    return head, earlier


def point_at(clone: Path, commit: str) -> None:
    """Let the branch end at a commit."""
    git(clone, "update-ref", "refs/heads/main", commit)


def score(folder: Path) -> Run:
    """One run of `pullrisk score --git` in a process of its own."""
    peaks = folder / "peaks.json"
    command = [sys.executable, "-c", _RUN, str(peaks), "score", "--git", str(folder / "clone")]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*command, "--repository", "bench/clone", "--json", "--quiet"],
        env={**os.environ, "PULLRISK_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory, git_memory = (kilobytes / 1_000 for kilobytes in json.loads(peaks.read_text()))
    return Run(seconds, cpu, memory, git_memory)


def git(folder: Path, *arguments: str) -> str:
    """The output of a git command."""
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
