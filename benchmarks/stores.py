"""Pull requests a second into and out of each pull store: SQLite beside MongoDB.

    make bench-stores ARGS="[--pulls N] [--mongo URI] [--json]"

MongoDB is the server that --mongo names, in a database of its own that is dropped at the end;
without it nx-27017, a stand-in that answers MongoDB's protocol out of SQLite: its figures say
what pullrisk and the driver cost at most, not what MongoDB can do. `write` inserts new pulls,
`write again` finds them all unchanged, `read` streams events, `fingerprints` and `summary` are
what each preprocess run asks first. `driver alone` is the work of this process for MongoDB
with no server: record to BSON and back. The pulls are the bundled sample's.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import bson
from pymongo import MongoClient

from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.mongo_documents import CODEC, to_document, to_pull
from pullrisk.pulls.record import Pull
from pullrisk.pulls.record_json import decode_line
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore
from support.mongo import MongoStandIn
from support.sample import FOLDER

BATCH = 1_000
Rates = dict[str, float]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pulls", type=int, default=15_000)
    parser.add_argument("--mongo", metavar="URI", default=os.environ.get("PULLRISK_TEST_MONGO_URI"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pulls = list(islice(sample(), options.pulls))
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as name:
        folder = Path(name)
        with SqliteStore(folder / "pulls.sqlite") as sqlite:
            rates = {"SQLite": measure(sqlite, pulls)}
        with mongo(folder, options.mongo) as uri, MongoStore(uri) as store:
            rates["MongoDB" if options.mongo else "nx-27017"] = measure(store, pulls)
    rates["driver alone"] = driver_alone(pulls)
    if options.json:
        print(json.dumps({"pulls": len(pulls), "per_second": rates}))
    else:
        show(rates, len(pulls))
    return 0


def sample() -> Iterator[Pull]:
    """The bundled pulls, file after file."""
    for path in sorted(FOLDER.glob("*.jsonl.gz")):
        with gzip.open(path) as lines:
            yield from map(decode_line, lines)


def measure(store: PullStore, pulls: list[Pull]) -> Rates:
    """Step → pulls a second."""
    names = sorted({pull.repository for pull in pulls})
    batches = [pulls[start : start + BATCH] for start in range(0, len(pulls), BATCH)]

    def write() -> int:
        return sum(store.upsert(batch, checkpoint=("c", {})).inserted for batch in batches)

    def again() -> int:
        return sum(store.upsert(batch).unchanged for batch in batches)

    def read() -> int:
        return sum(1 for name in names for _ in chain(store.pulls(name), store.pushes(name)))

    events = sum(pull.event_at is not None for pull in pulls)
    steps: dict[str, tuple[Callable[[], int], int]] = {
        "write": (write, len(pulls)),
        "write again": (again, len(pulls)),
        "read": (read, len(pulls)),
        "fingerprints": (lambda: sum(len(store.fingerprints(name)) for name in names), events),
        "summary": (lambda: sum(each.events for each in store.repositories()), events),
    }
    return {name: rate(step, expected) for name, (step, expected) in steps.items()}


def driver_alone(pulls: list[Pull]) -> Rates:
    """What this process could do at most: records into BSON, and BSON into records."""
    stored: list[bytes] = []

    def write() -> int:
        stored.extend(bson.encode(to_document(pull)) for pull in pulls)
        return len(stored)

    def read() -> int:
        return len([to_pull(bson.decode(data, CODEC)) for data in stored])

    return {"write": rate(write, len(pulls)), "read": rate(read, len(pulls))}


def rate(step: Callable[[], int], expected: int) -> float:
    """Pulls a second of one step; it has to have seen every pull."""
    started = time.perf_counter()
    seen = step()
    seconds = time.perf_counter() - started
    if seen != expected:
        raise SystemExit(f"{seen} pulls came through, expected {expected}")
    return expected / seconds


@contextmanager
def mongo(folder: Path, named: str | None) -> Iterator[str]:
    """The URI of an empty database, on the server named or on a stand-in."""
    if named is None:
        with MongoStandIn(folder) as server:
            yield f"{server.uri}bench"
        return
    base, _, query = named.partition("?")
    name = f"pullrisk_bench_{uuid4().hex[:8]}"
    try:
        yield f"{base.rstrip('/')}/{name}?{query}"
    finally:
        with MongoClient[dict[str, Any]](named) as client:
            client.drop_database(name)


def show(rates: dict[str, Rates], pulls: int) -> None:
    """Print one line a store."""
    steps = list(next(iter(rates.values())))
    print(f"{pulls:,} pull requests, pulls a second")
    print(f"{'':12}", *(f"{step:>13}" for step in steps))
    for store, figures in rates.items():
        cells = (f"{figures[step]:,.0f}" if step in figures else "" for step in steps)
        print(f"{store:12}", *(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
