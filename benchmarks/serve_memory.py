"""Memory of one worker that has the histories of 50 repositories, as the image runs it.

    make bench-serve_memory ARGS="[--pulls N] [--repositories N]"

The repositories are synthetic, of the sample's mean size, the n-th as large as 1 / n**0.8. Each
is asked about twice, so every history is read, and again when it may be compressed. The image
has no pandas, which Arrow would import: it is hidden here. Exit code 1 above 250 MB.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psutil

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from support.serving import Served, opened, served
from synthetic import OWNER, pulls

REPOSITORIES: Final = 50
PULLS: Final = 400_000
"""8,000 for each repository; the sample's four have 8,800 each."""
MOST_MB: Final = 250


class Memory(msgspec.Struct):
    """MB of the worker when it is ready and with every history; how many of these are ready."""

    ready: float
    cached: float
    histories: int
    decompressed: int


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pulls", type=int, default=PULLS)
    parser.add_argument("--repositories", type=int, default=REPOSITORIES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as name:
        memory = measure(Path(name), pulls_=options.pulls, repositories=options.repositories)
    print(described(memory, options.pulls))
    return int(memory.cached > MOST_MB)


def described(memory: Memory, pulls_: int = PULLS) -> str:
    """The measurement in a line."""
    return (
        f"one worker: {memory.ready:.0f} MB when ready, {memory.cached:.0f} MB with the "
        f"histories of {memory.histories} repositories ({pulls_:,} pulls), "
        f"{memory.decompressed} of them ready"
    )


def measure(folder: Path, *, pulls_: int = PULLS, repositories: int = REPOSITORIES) -> Memory:
    """Make a lake, serve it, ask about every repository twice."""
    home = folder / "many"
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert(pulls(pulls_, repositories=repositories, seed=0))
        preprocess(store, Lake(home / "lake"))
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "pandas.py").write_text('raise ImportError("the image has no pandas")\n')
    path = ":".join([str(hidden), *_paths()])
    with served(home, environment={"PYTHONPATH": path}, access_log="false", refresh=0.5) as service:
        ready = _worker(service)
        for _ in range(2):
            for number in range(1, repositories + 1):
                _ask(service, f"{OWNER}/repository-{number}")
        time.sleep(2)  # the service counts what it holds at each look at the lake
        metrics = httpx.get(f"{service.url}/metrics", timeout=30).text
        return Memory(ready, _worker(service), _gauge(metrics, "cached"), _gauge(metrics, "ready"))


def _paths() -> list[str]:
    """Where this process found a compiled package, if it did."""
    import pullrisk

    return [str(Path(pullrisk.__file__).parents[1])]


def _ask(service: Served, repository: str) -> None:
    pull = opened()
    pull["base"] = pull["base"] | {"repo": {"full_name": repository}}
    answer = httpx.post(f"{service.url}/v1/score", content=json.dumps(pull), timeout=60)
    score = answer.raise_for_status().json()["scores"][0]
    if score["basis"] != "history":
        raise SystemExit(f"{repository} was scored with {score['basis']}")


def _worker(service: Served) -> float:
    """MB of the one worker."""
    (worker,) = (
        child
        for child in psutil.Process(service.process.pid).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    )
    return float(worker.memory_info().rss / 1e6)


def _gauge(metrics: str, name: str) -> int:
    prefix = f"pullrisk_histories_{name} "
    return int(float(next(x for x in metrics.splitlines() if x.startswith(prefix)).split()[1]))


if __name__ == "__main__":
    sys.exit(main())
