"""Whether the fold of a clone's lines names those whom `git blame` names, and what it costs.

Costs are of reading a clone as `pullrisk fetch --git` does it: all of it, and what is new of the
branch's last day.

    make bench-lines ARGS="[FOLDER] [--only owner/name] [--commits 300] [--json]"

FOLDER (../shared/clones without it) holds clones as owner+name/repo, owner+name or owner/name.
Of each: the code lines that random fixes remove, by the origin that the fold and
`git blame --first-parent` give them; and for the repositories of ../shared/data/lines the pairs of
a fix and the commit whose code lines it removes, beside those of that data: the share of its
pairs that are found, and the share of the found ones that it has. Exit code 1 below 97 %.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import pyarrow.parquet as pq

from clone_data import SHARED, find_clone
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.git.line_fold import BranchState
from pullrisk.fetch.git.line_history import LineHistory
from pullrisk.fetch.git.patches import FilePatch, Patch, read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.saved_lines import encode_lines
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore

REPAIRS: Final = SHARED / "data" / "lines" / "repairs.parquet"
DEFAULT: Final = (
    "kedro-org/kedro", "mozilla/bugbug", "argoproj/argo-rollouts", "etcd-io/etcd", "numpy/numpy",
)  # fmt: skip
LEAST: Final = 0.97
MOST_LINES: Final = 1_000
"""Removed lines of a fix that is compared: beyond it is a sweep, which takes blame minutes."""
_FIX: Final = re.compile(r"\b(?:fix(?:e[sd])?|bug|regression|crash)\b", re.IGNORECASE)


class Removed(msgspec.Struct):
    """The removed code lines of one file of a commit: number before the commit → origin."""

    sha: str
    path: str
    lines: dict[int, str]


class Result(msgspec.Struct):
    """One clone; shares are None where there was nothing to compare."""

    repository: str
    commits: int
    seconds: float
    fold_microseconds: float
    state_megabytes: float
    seconds_in_all: float = 0
    seconds_of_a_day: float = 0
    blamed_fixes: int = 0
    blamed_lines: int = 0
    same_lines: float | None = None
    same_fixes: float | None = None
    pairs: int = 0
    pairs_found: float | None = None
    pairs_in_data: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the target is reached in all that was compared."""
        shares = (self.same_lines, self.pairs_found, self.pairs_in_data)
        return all(share is None or share >= LEAST for share in shares)


def main() -> int:
    """Measure and print; exit code 1 where a target is missed."""
    options = _options()
    results = []
    for name in options.only or DEFAULT:
        clone = find_clone(options.folder, name)
        if clone is None:
            continue
        results.append(measure(clone, name, options.commits))
        if not options.json:
            print(_row(results[-1]), flush=True)
    if options.json:
        print(json.dumps(msgspec.to_builtins(results), indent=1))
    return int(not all(result.is_good for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED / "clones")
    parser.add_argument("--only", nargs="*", help="repositories")
    parser.add_argument("--commits", type=int, default=300, help="fixes that git blame is asked of")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(clone: Path, name: str, sample: int) -> Result:
    """Fold the clone's branch, and compare what fixes removed."""
    git = Git(clone)
    data = _repairs(name)
    removed: dict[str, list[Removed]] = {}
    result, folding = Result(name, 0, 0, 0, 0), 0.0
    history, line = LineHistory(), _line(git)
    shas = list(line)
    fixes = {sha for sha, subject in line.items() if _FIX.search(subject)}
    started = time.perf_counter()
    for place, patch in enumerate(read_patches(git, shas), 1):
        if patch.sha in fixes or patch.sha in data:
            removed[patch.sha] = list(_removed(history, patch, shas))
        before = time.perf_counter()
        history.observe(patch, place)
        folding += time.perf_counter() - before
    result.commits, result.seconds = len(shas), time.perf_counter() - started
    result.fold_microseconds = folding / max(1, len(shas)) * 1e6
    result.state_megabytes = len(encode_lines(BranchState(history), "")) / 1e6
    _measure_reading(result, clone)
    _compare_with_data(result, data, removed)
    able = [sha for sha in sorted(fixes) if 0 < _count(removed[sha]) <= MOST_LINES]
    chosen = random.Random(15).sample(able, min(sample, len(able)))
    _compare_with_blame(result, git, [removed[sha] for sha in chosen])
    return result


def _measure_reading(result: Result, clone: Path) -> None:
    """Read the clone by the product's path; a day's commits by taking the branch back first."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        copy = folder / "clone"
        git = ["git", "-c", "safe.directory=*", "-C", str(folder)]
        subprocess.run([*git, "clone", "-q", "--bare", "--shared", clone, copy], check=True)
        head, day_before, branch = _last_day(Git(copy))
        reading = partial(_seconds_to_read, copy, result.repository)
        move = [*git, "-C", str(copy), "update-ref", f"refs/heads/{branch}"]
        subprocess.run([*move, day_before], check=True)
        result.seconds_in_all = reading(folder / "with")
        subprocess.run([*move, head], check=True)
        result.seconds_of_a_day = reading(folder / "with")


def _last_day(git: Git) -> tuple[str, str, str]:
    """The branch's last commit, the last one that is a day older, and the branch."""
    branch = git.default_branch()
    head = git.head(branch)
    latest = int(git.ask("log", "-1", "--format=%ct", head, "--") or 0)
    before = git.ask(
        "log", "-1", "--first-parent", "--format=%H", f"--before={latest - 86_400}", head, "--"
    )
    return head, before or head, branch


def _seconds_to_read(clone: Path, name: str, folder: Path) -> float:
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    with SqliteStore(folder / "pulls.sqlite") as store:
        fetch_git(
            clone,
            store,
            salt=b"s" * 32,
            progress=Silent(),
            repository=name,
            lines=folder / "lines",
        )
    return time.perf_counter() - started


def _line(git: Git) -> dict[str, str]:
    """The branch's own commits, oldest first, with their subjects."""
    branch = git.default_branch()
    listed = git.ask("log", "--first-parent", "--reverse", "--format=%H %s", branch, "--") or ""
    return {line[:40]: line[41:] for line in listed.split("\n")}


def _repairs(name: str) -> dict[str, Counter[str]]:
    """Fix → code lines that it removes, by the commit that wrote them."""
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    if REPAIRS.exists():
        columns = ["fixer_sha", "origin_sha", "lines"]
        for row in pq.read_table(
            REPAIRS, columns=columns, filters=[("repo", "=", name)]
        ).to_pylist():
            pairs[row["fixer_sha"]][row["origin_sha"]] += row["lines"]
    return pairs


def _removed(history: LineHistory, patch: Patch, shas: list[str]) -> Iterator[Removed]:
    for file in patch.files:
        entries = history.files.get(file.previous or "")
        if file.counted and file.hunks and entries is not None:
            lines = {
                number: shas[history.numbers[entries[number - 1]] - 1]
                for number in _code_lines(file)
                if number <= len(entries) and entries[number - 1]
            }
            yield Removed(patch.sha, file.previous or "", lines)


def _code_lines(file: FilePatch) -> Iterator[int]:
    for hunk in file.hunks:
        yield from (hunk.old_start + place for place, is_code in enumerate(hunk.code) if is_code)


def _count(files: list[Removed]) -> int:
    return sum(len(each.lines) for each in files)


def _compare_with_data(
    result: Result, data: dict[str, Counter[str]], removed: dict[str, list[Removed]]
) -> None:
    theirs = {(sha, origin) for sha in data.keys() & removed.keys() for origin in data[sha]}
    ours = {
        (sha, origin)
        for sha in data.keys() & removed.keys()
        for file in removed[sha]
        for origin in file.lines.values()
    }
    if theirs:
        result.pairs = len(theirs)
        result.pairs_found = len(theirs & ours) / len(theirs)
        result.pairs_in_data = len(theirs & ours) / max(1, len(ours))


def _compare_with_blame(result: Result, git: Git, fixes: list[list[Removed]]) -> None:
    files = [file for fix in fixes for file in fix if file.lines]
    with ThreadPoolExecutor(2) as pool:
        blamed = list(pool.map(lambda file: _blame(git, file), files))
    same: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for file, blame in zip(files, blamed, strict=True):
        if not blame:  # git stops at an object that the clone lacks
            continue
        total[file.sha] += len(file.lines)
        same[file.sha] += sum(blame.get(number) == sha for number, sha in file.lines.items())
    if total:
        result.blamed_fixes, result.blamed_lines = len(total), total.total()
        result.same_lines = same.total() / total.total()
        result.same_fixes = sum(same[sha] == total[sha] for sha in total) / len(total)


def _blame(git: Git, file: Removed) -> dict[int, str]:
    """Line → commit, as git blames the lines before the fix."""
    ranges = [f"-L{number},{number}" for number in file.lines]
    command = ["git", "-C", str(git.path), "-c", "safe.directory=*", "blame", "--first-parent"]
    done = subprocess.run(
        [*command, "-l", "-s", "--root", *ranges, f"{file.sha}^1", "--", file.path],
        capture_output=True,
        check=False,
    )
    found = {}
    for line in done.stdout.decode(errors="replace").split("\n"):
        match = re.match(r"\^?([0-9a-f]{40}).*?(\d+)\)", line)
        if match:
            found[int(match[2])] = match[1]
    return found


def _row(result: Result) -> str:
    return (
        f"{result.repository:28} {result.commits:6,} commits in {result.seconds:5.1f} s, fold "
        f"{result.fold_microseconds:3.0f} us each, state {result.state_megabytes:.2f} MB; "
        f"read in {result.seconds_in_all:.1f} s, "
        f"a day {result.seconds_of_a_day:.1f} s; "
        f"blame: {_share(result.same_lines)} of {result.blamed_lines:,} lines, "
        f"{_share(result.same_fixes)} of {result.blamed_fixes} fixes; data: "
        f"{_share(result.pairs_found)} of {result.pairs:,} pairs found, "
        f"{_share(result.pairs_in_data)} of ours in it"
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    sys.exit(main())
