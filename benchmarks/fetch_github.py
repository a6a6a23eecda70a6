"""What fetching from GitHub costs: requests beside PyGithub's way, and the client's own time.

    make bench-fetch_github ARGS="[--json]"

Asks the fake GitHub (tests/fake_github) in a process and on a core of its own, over a real
socket. Requests are those that the server counted, for the first 1,000 pulls of each repository
of the sample, with files and reviews; `busy` is a GitHub that gives up on pages of more than 50.
PyGithub's way is re-enacted call by call with its defaults. Speed is of a second run, so that
the server answers from memory. Exit code 1 where a figure misses its limit.
"""

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import msgspec

from pullrisk.fetch.github.access import access_from
from pullrisk.fetch.github.fetch import GitHubReport, Request, fetch_github
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
from support.github_server import GitHubServer

REPOSITORIES = ("kedro-org/kedro", "rust-lang/cargo", "argoproj/argo-rollouts", "astral-sh/uv")
MOST_REQUESTS = 45
"""For 1,000 pulls with files and reviews."""
LEAST_SPEED = 1_500
"""Pulls a second into SQLite, on one core."""
TOKEN = "fake-token"
POINTS = "--points=1000000"


class Requests(msgspec.Struct):
    """Requests for the first 1,000 pulls of a repository."""

    repository: str
    ours: int
    points: int
    busy: int
    pygithub: int


class Speed(msgspec.Struct):
    """One whole backfill; `shares` is where the client's own time goes."""

    repository: str
    pulls: int
    seconds: float
    cpu_seconds: float
    shares: dict[str, float]


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    requests = [counted(name) for name in REPOSITORIES]
    speed = timed("astral-sh/uv")
    if options.json:
        print(json.dumps({"requests": msgspec.to_builtins(requests), **msgspec.to_builtins(speed)}))
    else:
        print(table(requests, speed))
    too_many = any(max(each.ours, each.busy) > MOST_REQUESTS for each in requests)
    return int(too_many or speed.pulls / speed.seconds < LEAST_SPEED)


def counted(name: str) -> Requests:
    """Count what each way asks of the server."""
    options = (f"--repository={name}", "--pulls=1000", POINTS)
    with GitHubServer(*options) as server:
        fetch(server.url, name)
        ours = server.counts()
        pygithub(server.url, name)
        theirs = server.counts()["rest_requests"]
    with GitHubServer(*options, "--too-large-above=50") as server:
        fetch(server.url, name)
        busy = server.counts()["requests"]
    return Requests(name, ours["requests"], ours["points"], busy, theirs)


def pygithub(url: str, name: str) -> None:
    """What PyGithub 2 asks for the same: `for pull in repo.get_pulls(state="all")`, then
    `pull.additions` (which completes the pull), `pull.get_files()` and `pull.get_reviews()`.

    It reads lists in pages of 30 and follows their `next` links.
    """
    headers = {"Authorization": f"token {TOKEN}"}
    with httpx.Client(base_url=f"{url}/api/v3", headers=headers, timeout=60) as client:

        def pages(path: str) -> list[dict[str, int]]:
            items: list[dict[str, int]] = []
            address: str | None = path
            while address:
                answer = client.get(address).raise_for_status()
                items += answer.json()
                address = answer.links.get("next", {}).get("url")
            return items

        client.get(f"/repos/{name}").raise_for_status()
        for pull in pages(f"/repos/{name}/pulls?state=all&sort=created&direction=asc"):
            own = f"/repos/{name}/pulls/{pull['number']}"
            client.get(own).raise_for_status()
            pages(f"{own}/files")
            pages(f"{own}/reviews")


def timed(name: str) -> Speed:
    """A backfill of the whole repository: timed, then profiled."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    with GitHubServer(f"--repository={name}", POINTS, "--remember") as server:
        os.sched_setaffinity(0, cores[:1])
        fetch(server.url, name)
        fetch(server.url, name)
        started, cpu = time.perf_counter(), time.process_time()
        report = fetch(server.url, name)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        profile = cProfile.Profile()
        profile.runcall(fetch, server.url, name)
    os.sched_setaffinity(0, cores)
    return Speed(name, report.read, seconds, cpu, shares(pstats.Stats(profile)))


def fetch(url: str, name: str) -> GitHubReport:
    """One backfill into a new store."""
    access = access_from(url=url, token=TOKEN)
    with (
        tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder,
        SqliteStore(Path(folder) / "pulls.sqlite") as store,
    ):
        report = fetch_github(
            Request(repositories=(name,)), store, access=access, progress=Silent()
        )
    if report.failed:
        raise SystemExit(report.failed[0].error)
    return report


def shares(stats: pstats.Stats) -> dict[str, float]:
    """Part of the profile's time spent in each library of the main thread."""
    spent: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        spent[_part(file, function)] += own
    waiting = spent.pop("waiting", 0.0)
    total = sum(spent.values())
    found = {part: seconds / total for part, seconds in spent.most_common(8)}
    return {**found, "waiting, of all": waiting / (total + waiting)}


def _part(file: str, function: str) -> str:
    if "select.epoll" in function or "lock" in function:
        return "waiting"
    for name in ("pullrisk/pulls", "pullrisk/fetch", "httpx", "httpcore", "h11", "anyio"):
        if f"/{name}/" in file:
            return name
    if "msgspec" in function:
        return "msgspec"
    if "socket" in function:
        return "sockets"
    return "asyncio" if "/asyncio/" in file else "other"


def table(requests: list[Requests], speed: Speed) -> str:
    """The figures, and their limits."""
    lines = [f"{'requests for 1,000 pulls':28}{'ours':>7}{'busy':>7}{'points':>8}{'PyGithub':>10}"]
    lines += [
        f"{each.repository:28}{each.ours:7,}{each.busy:7,}{each.points:8,}{each.pygithub:10,}"
        for each in requests
    ]
    rate = speed.pulls / speed.seconds
    lines += [
        f"at most {MOST_REQUESTS}",
        "",
        f"{speed.repository}: {speed.pulls:,} pulls in {speed.seconds:.2f} s, {rate:,.0f} pulls/s "
        f"into SQLite (at least {LEAST_SPEED:,}); the client's own: {speed.cpu_seconds:.2f} s, "
        f"{1e6 * speed.cpu_seconds / speed.pulls:.0f} µs a pull",
        "profile: " + ", ".join(f"{part} {share:.0%}" for part, share in speed.shares.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
