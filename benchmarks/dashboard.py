"""How fast and how large the dashboard's pages are, with many pulls stored and scored.

    python benchmarks/dashboard.py [--pulls 100000] [--requests 30] [--json]

A store of made pulls of eight repositories, each with a published score, is served by one process.
For each address: the milliseconds that the server took (its access log), at the median and at worst
of nineteen of twenty, and the bytes of the page.
"""

import argparse
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import httpx

from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.scores import PublishedScore
from pullrisk.pulls.scores_sqlite import SqliteScores
from pullrisk.pulls.sqlite import SqliteStore
from support.serving import served

DAY = timedelta(days=1)
BEGIN = datetime(2022, 1, 1, tzinfo=UTC)
PAGES = {
    "first page": "/",
    "open": "/?shown=open",
    "all, second page": "/?shown=all&page=2",
    "all, by size": "/?shown=all&sort=size",
    "one repository": "/?shown=all&repository=made/r3",
    "band high": "/?shown=all&band=high",
    "author": "/?shown=all&author=author7",
    "path": "/?shown=all&path=src/part11/",
    "text": "/?shown=all&text=change+9999",
    "live": "/live/pulls",
    "repositories": "/repositories",
    "operations": "/operations",
}


def made(number: int, pick: random.Random) -> Pull:
    """A pull of one of eight repositories; one of a hundred is open."""
    at = BEGIN + DAY * (number / 60)
    ended = None if number % 100 == 0 else at
    files = tuple(
        ChangedFile(f"src/part{pick.randrange(40)}/file{pick.randrange(30)}.py", "modified", 9, 3)
        for _ in range(pick.randint(1, 12))
    )
    return Pull(
        repository=f"made/r{number % 8}",
        number=number,
        created_at=at - DAY,
        updated_at=at,
        merged_at=ended,
        closed_at=ended,
        title=f"Change {number}: make the part do what it should",
        author=f"author{pick.randrange(300)}",
        files=files,
        additions=9 * len(files),
        deletions=3 * len(files),
    )


def scored(pull: Pull, pick: random.Random) -> PublishedScore:
    """What was said of it."""
    risk = pick.random() ** 4
    return PublishedScore(
        repository=pull.repository,
        number=pull.number,
        title=pull.title,
        author=pull.author,
        state=pull.state,
        created_at=pull.created_at,
        updated_at=pull.updated_at,
        event_at=pull.event_at,
        verdict=f"Likely to need a fix: {100 * risk:.0f} %, riskier than 70 % of all.",
        reason="adds 191 lines of code, 135 of them to src/part7/file3.py (usually 3)",
        model="made",
        scored_at=pull.updated_at,
        risk=risk,
        band="high" if risk > 0.6 else "elevated" if risk > 0.3 else "low",
        lines=12,
        files=len(pull.files or ()),
        labels=("bug",) if pick.random() < 0.1 else (),
        paths=tuple(file.path for file in pull.files or ()),
    )


def fill(home: Path, count: int) -> None:
    """Store the pulls and their scores."""
    pick = random.Random(7)
    with SqliteStore(home / "pulls.sqlite") as store:
        for start in range(1, count + 1, 5_000):
            pulls = [made(each, pick) for each in range(start, min(start + 5_000, count + 1))]
            store.upsert(pulls)
            table = SqliteScores(home / "pulls.sqlite")
            table.put(scored(pull, pick) for pull in pulls)
            table.close()


def measure(home: Path, requests: int) -> dict[str, dict[str, float]]:
    """Figures of each page; only ten pulls are published anew, so that nothing else is busy."""
    figures: dict[str, dict[str, float]] = {}
    with served(home, recent=10) as service, httpx.Client(base_url=service.url) as client:
        for name, path in PAGES.items():
            before = len(service.events("request"))
            sizes = [len(client.get(path, timeout=60).raise_for_status().content)]
            sizes += [len(client.get(path, timeout=60).content) for _ in range(requests)]
            service.until("request", before + requests + 1)
            taken = [
                each["ms"]
                for each in service.events("request")[before:]
                if each["path"] == path.partition("?")[0]
            ][1:]
            cuts = quantiles(taken, n=20)
            figures[name] = {"median_ms": cuts[9], "p95_ms": cuts[18], "bytes": max(sizes)}
    return figures


def main() -> int:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pulls", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        fill(home, given.pulls)
        figures = measure(home, given.requests)
    if given.json:
        print(json.dumps(figures))
        return 0
    print(f"{given.pulls:,} pulls stored and scored{'ms, median':>14}{'p95':>9}{'bytes':>10}")
    for name, found in figures.items():
        print(f"{name:>32}{found['median_ms']:14.1f}{found['p95_ms']:9.1f}{found['bytes']:10,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
