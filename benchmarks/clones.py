"""Which pull requests are read from real clones, against those of ../shared/data/pulls.parquet.

    make bench-clones ARGS="[FOLDER] [--only owner/name] [--misses] [--json]"

FOLDER (../shared/clones without it) holds clones as owner+name/repo, owner+name or owner/name;
those that the data knows are read into an empty store, each in a process of its own. Pulls that
were merged after the data was made are left out. Found: the data's pulls whose number was read.
Wrong: read with another commit than the data has, unless that one is older than the pull's head,
or with a number that has no refs/pull/N/head in the clone. Beside the data: numbers that have
one, but are not in the data, which leaves out what it could not verify. Exit code 1 where a
repository finds less than 98 % or reads more than 0.5 % wrong ones.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clone_data import SHARED, find_clone
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.git.program import Git
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore

FOUND, WRONG = 0.98, 0.005
SHOWN = 10
COLUMNS = {"pulls": 6, "found": 7, "wrong": 6, "beside": 6, "s": 5, "CPU s": 5, "MB": 4}


class Result(msgspec.Struct):
    """What was read from one clone; `shares` are of the data's pulls."""

    repository: str
    pulls: int
    found: float
    same_commit: float
    wrong: float
    beside: float
    passed: dict[str, int]
    unnumbered: int
    held: int
    unreadable: int
    seconds: float
    processor_seconds: float
    megabytes: float
    misses: dict[str, list[str]]

    @property
    def is_good(self) -> bool:
        """Whether the targets are reached."""
        return self.found >= FOUND and self.wrong <= WRONG


def main() -> int:
    """Measure and print; exit code 1 where a target is missed."""
    options = _options()
    results: list[Result] = []
    columns = (
        f"{'pulls':>6} {'found':>7} {'wrong':>6} {'beside':>6} {'s':>5} {'CPU s':>5} {'MB':>4}"
    )
    if not options.json:
        print(f"{'':30} {columns}  no pulls", flush=True)
    for result in _results(options):
        results.append(result)
        if not options.json:
            _print(result, misses=options.misses)
    if options.json:
        print(json.dumps(msgspec.to_builtins(results), indent=1))
    return int(not all(result.is_good for result in results))


def _print(result: Result, *, misses: bool) -> None:
    print(_row(result), flush=True)
    if misses:
        for kind, lines in result.misses.items():
            print("".join(f"    {kind}: {line}\n" for line in lines), end="")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED / "clones")
    parser.add_argument("--only", help="one repository")
    parser.add_argument("--misses", action="store_true", help="print some of what differs")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _results(options: argparse.Namespace) -> Iterator[Result]:
    table = pq.read_table(SHARED / "data" / "pulls.parquet", columns=["repo"])
    names = [options.only] if options.only else sorted(pc.unique(table["repo"]).to_pylist())
    with ProcessPoolExecutor(max_workers=1, max_tasks_per_child=1) as pool:
        for name in names:
            clone = find_clone(options.folder, name)
            if clone is not None:
                yield pool.submit(measure, clone, name).result()


def measure(clone: Path, name: str) -> Result:
    """Read the clone and compare it with the data."""
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "pulls.sqlite") as store:
        started = time.perf_counter()
        report = fetch_git(clone, store, salt=b"s" * 32, progress=Silent(), repository=name)
        seconds = time.perf_counter() - started
        usage = resource.getrusage(resource.RUSAGE_SELF)
        programs = resource.getrusage(resource.RUSAGE_CHILDREN)
        read = {pull.number: pull for pull in store.events(name) if not pull.is_push}
    truth, until = _truth(name)
    git = Git(clone)
    heads = git.pull_heads()
    old = {number: pull for number, pull in read.items() if pull.updated_at <= until}
    other = [
        n
        for n, pull in old.items()
        if n in truth and pull.merge_sha != truth[n] and not _is_older(git, truth[n], heads.get(n))
    ]
    unknown = [n for n in old if n not in truth and heads and n not in heads]
    beside = [n for n in old if n not in truth and n not in unknown]
    missed = [n for n in truth if n not in read]
    total = len(truth)
    return Result(
        repository=name,
        pulls=total,
        found=1 - len(missed) / total,
        same_commit=sum(n in read and read[n].merge_sha == truth[n] for n in truth) / total,
        wrong=(len(other) + len(unknown)) / total,
        beside=len(beside) / total,
        passed=report.passed,
        unnumbered=report.unnumbered,
        held=report.held,
        unreadable=report.unreadable,
        seconds=seconds,
        processor_seconds=sum(each.ru_utime + each.ru_stime for each in (usage, programs)),
        megabytes=usage.ru_maxrss / 1_024,
        misses={
            "missed": [f"#{n} {truth[n]}" for n in _some(missed)],
            "other": [f"{_told(old[n])}, not {truth[n]}" for n in _some(other)],
            "no pull": [_told(old[n]) for n in _some(unknown)],
            "beside": [_told(old[n]) for n in _some(beside)],
        },
    )


def _is_older(git: Git, commit: str, head: str | None) -> bool:
    """Whether the commit was made before the pull's head, which it then cannot have merged."""
    dates = [git.ask("log", "-1", "--format=%ct", sha) for sha in (commit, head) if sha]
    return len(dates) > 1 and int(dates[0] or 0) < int(dates[1] or 0)


def _truth(name: str) -> tuple[dict[int, str], datetime]:
    """Number → merge commit of the data's pulls, and the last merge."""
    columns = ["number", "merge_sha", "merged_at"]
    path = SHARED / "data" / "pulls.parquet"
    table = pq.read_table(path, columns=columns, filters=[("repo", "=", name)])
    numbers, shas = table["number"].to_pylist(), table["merge_sha"].to_pylist()
    until: datetime = pc.max(table["merged_at"]).as_py()
    return dict(zip(numbers, shas, strict=True)), until


def _some(numbers: list[int]) -> list[int]:
    return numbers[:: max(1, len(numbers) // SHOWN)]


def _told(pull: Pull) -> str:
    return f"#{pull.number} {pull.merge_sha} {pull.title[:60]}"


def _row(result: Result) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in result.passed.items())
    notes = f"{result.held:,} held, {result.unreadable:,} files unreadable"
    return (
        f"{result.repository:30} {result.pulls:6,} {result.found:7.2%} {result.wrong:6.2%} "
        f"{result.beside:6.2%} {result.seconds:5.1f} {result.processor_seconds:5.1f} "
        f"{result.megabytes:4.0f}  {reasons}; "
        f"{result.unnumbered:,} unnumbered; {notes}"
    )


if __name__ == "__main__":
    sys.exit(main())
