"""What each stage survives: kill -9, a full disk, a jumping clock, … at random moments.

    make drill-faults ARGS="[--runs N] [--seed N] [--stage NAME] [--json]"

Every run takes a copy of the same home folder, starts a stage in it as a person does, and lets
something go wrong at a random moment of its time. Then the same command runs once more,
undisturbed. Good is: the first ended well, or with one of pullrisk's own errors (docs/cli.md), or
was killed; the second ended well; and what lies in the store, the lake, or the model's answers is
what one undisturbed run leaves. The table counts how the first runs ended. Exit code 1 where one
run was not good.

A full disk and a folder that cannot be written need root (a small tmpfs), a jumping clock Debian's
package faketime; what cannot run here is named.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import psutil

import mishaps
from pullrisk.features import NAMES
from pullrisk.lake import Lake
from pullrisk.lake.s3 import open_bucket
from pullrisk.model.bundle import Bundle
from pullrisk.options import S3
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore
from support.clones import make_clone
from support.mongo import MongoStandIn
from support.preprocessing import rows
from support.processes import PULLRISK
from support.sample import sample_lines, sample_pulls
from support.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed, settings
from support.serving import Served, opened

OWN_ERRORS: Final = (1, *range(3, 11))
"""Exit codes of errors that are explained: 1 where the machine lacks memory or space."""
HANGS_AFTER: Final = 300.0
LOCAL: Final = ("fetch files", "fetch a clone", "preprocess", "train", "serve")
WITH_SERVERS: Final = ("fetch to MongoDB", "preprocess to S3")
HERE: Final = ("kill", "full disk", "read-only", "clock", "memory")


@dataclass
class Stage:
    """One command, the folder that it starts from, and what it has to leave behind."""

    name: str
    arguments: tuple[str, ...]
    base: Path
    state: Callable[[Path], str]
    """Of a home folder: a digest of what the stage made."""
    faults: tuple[str, ...] = HERE
    variables: Mapping[str, str] = field(default_factory=dict)
    disturbed_by: Mapping[str, str] = field(default_factory=dict)
    """Variables of the runs that are disturbed, above those."""
    empty: Callable[[], None] = lambda: None
    """Puts back what lies outside of the home folder."""
    server: MongoStandIn | None = None
    seconds: float = 0.0
    written: int = 0
    """Bytes that an undisturbed run adds to the home folder."""
    expected: str = ""


@dataclass
class Ending:
    """How one disturbed run and the next one ended."""

    stage: str
    fault: str
    first: str
    """ended well, own error N, killed; or bad: what was wrong."""
    good: bool
    said: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Try, tell, and say by the exit code whether every run was good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=36, help="of all stages together (36)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--stage", action="append", metavar="NAME", help="only this one; repeat for more"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chance = random.Random(seed)
    endings = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pullrisk-faults-")))
        stages = stack.enter_context(prepared(folder, chance, options.stage or []))
        plan = [(stage, fault) for stage in stages for fault in stage.faults if possible(fault)]
        for stage in stages:
            measure(stage, folder / "undisturbed")
        with suppress(KeyboardInterrupt):  # what was tried until then is told
            for number in range(options.runs):
                stage, fault = plan[number % len(plan)]
                endings.append(disturbed(stage, fault, folder / f"run-{number}", chance))
                if not options.json:
                    print(f"\r{number + 1} of {options.runs}", end="", file=sys.stderr, flush=True)
    report(endings, seed, as_json=options.json)
    return int(not all(ending.good for ending in endings))


@contextmanager
def prepared(folder: Path, chance: random.Random, names: list[str]) -> Iterator[list[Stage]]:
    """The stages of these names, with the servers that they need; all if none is named."""
    stage_names = set(names or (*LOCAL, *WITH_SERVERS))
    make_homes(folder, chance, stage_names)
    stages = [stage for stage in local_stages(folder) if stage.name in stage_names]
    with ExitStack() as servers:
        if "fetch to MongoDB" in stage_names:
            mongo = servers.enter_context(MongoStandIn(folder / "mongo"))
            stages.append(to_mongo(folder, mongo))
        if "preprocess to S3" in stage_names:
            seaweed = servers.enter_context(Seaweed(folder / "seaweed"))
            proxy = mishaps.bad_network(seaweed.endpoint, chance, share=0.15)
            stages.append(to_s3(folder, seaweed, servers.enter_context(proxy)))
        yield stages


def make_homes(folder: Path, chance: random.Random, stage_names: set[str]) -> None:
    """What the wanted stages read, and the homes that they start from."""
    for name in ("empty", "salted", "stored", "processed"):
        (folder / name).mkdir()
    (folder / "pulls.jsonl").write_bytes(b"".join(sample_lines(2_500)))
    if "fetch a clone" in stage_names:
        make_clone(folder / "clone", sample_pulls(1_200), origin="https://github.com/o/r.git")
        (folder / "salted" / "salt").write_bytes(chance.randbytes(32))  # else each draws its own
    if not stage_names.isdisjoint(("preprocess", "train", "serve", "preprocess to S3")):
        with SqliteStore(folder / "stored" / "pulls.sqlite") as store:
            store.upsert(sample_pulls(1_500))
    if not stage_names.isdisjoint(("train", "serve")):
        shutil.copytree(folder / "stored", folder / "processed", dirs_exist_ok=True)
        with SqliteStore(folder / "processed" / "pulls.sqlite") as store:
            preprocess(store, Lake(folder / "processed" / "lake"))


def local_stages(folder: Path) -> list[Stage]:
    """What needs no server."""
    from_file = ("fetch", "--file", str(folder / "pulls.jsonl"))
    from_clone = ("fetch", "--git", str(folder / "clone"))
    serving = Stage("serve", ("serve",), folder / "processed", str, faults=("kill", "worker"))
    return [
        Stage("fetch files", from_file, folder / "empty", sqlite_state),
        Stage("fetch a clone", from_clone, folder / "salted", sqlite_state),
        Stage("preprocess", ("preprocess",), folder / "stored", lake_state),
        Stage("train", ("train", "--no-gate"), folder / "processed", model_state),
        serving,
    ]


def to_mongo(folder: Path, mongo: MongoStandIn) -> Stage:
    """Fetching into a database that goes away and comes back."""
    uri = f"{mongo.uri}pulls"
    return Stage(
        "fetch to MongoDB",
        ("fetch", "--file", str(folder / "pulls.jsonl")),
        folder / "empty",
        lambda _: mongo_state(uri),
        faults=("kill", "database away"),
        variables={"PULLRISK_STORE": uri},
        empty=lambda: drop(uri),
        server=mongo,
    )


def to_s3(folder: Path, seaweed: Seaweed, proxy: str) -> Stage:
    """Preprocessing into a bucket behind a bad network."""
    bucket = settings(seaweed.endpoint)
    return Stage(
        "preprocess to S3",
        ("preprocess",),
        folder / "stored",
        lambda _: content(Lake("s3://lake/faults", s3=bucket)),
        faults=("kill", "network"),
        variables=s3_variables(seaweed.endpoint),
        disturbed_by={"PULLRISK_S3__ENDPOINT": proxy},
        empty=lambda: wipe(bucket),
    )


def possible(fault: str) -> bool:
    """Whether this machine lets it happen."""
    if fault in ("full disk", "read-only"):
        return mishaps.can_mount()
    return fault != "clock" or mishaps.FAKETIME is not None


def measure(stage: Stage, folder: Path) -> None:
    """How long the stage takes undisturbed, what it writes, and what it leaves."""
    if stage.name == "serve":
        return
    home = shutil.copytree(stage.base, folder / stage.name)
    stage.empty()
    before, started = size(home), time.monotonic()
    process = start(stage, home, {})
    _, said = process.communicate(timeout=HANGS_AFTER)
    if process.returncode:
        raise SystemExit(f"{stage.name} fails undisturbed: {said}")
    stage.seconds, stage.written = time.monotonic() - started, size(home) - before
    stage.expected = stage.state(home)


def disturbed(stage: Stage, fault: str, folder: Path, chance: random.Random) -> Ending:
    """One run with a fault, one without, and the comparison."""
    if stage.name == "serve":
        return served_again(stage, fault, folder, chance)
    folder.mkdir()
    home = folder / "home"
    stage.empty()
    with disk(stage, fault, home, chance):
        own = mishaps.jumping_clock(folder, chance) if fault == "clock" else {}
        process = start(stage, home, own | dict(stage.disturbed_by))
        disturb(stage, fault, process, folder, chance)
        first, said, good = ended(process)
        mend(stage, fault, home)
        again = start(stage, home, {})
        last, said_again, _ = ended(again)
        if last != "ended well":
            return Ending(stage.name, fault, f"bad: again {last}", False, said + said_again)
        if stage.state(home) != stage.expected:
            return Ending(stage.name, fault, "bad: another state", False, said + said_again)
    shutil.rmtree(folder, ignore_errors=True)
    return Ending(stage.name, fault, first, good, said)


@contextmanager
def disk(stage: Stage, fault: str, home: Path, chance: random.Random) -> Iterator[None]:
    """The home folder of a run; on a small disk where the fault is one of disks."""
    if fault not in ("full disk", "read-only"):
        shutil.copytree(stage.base, home)
        yield
        return
    home.mkdir()
    room = chance.random() if fault == "full disk" else 10
    with mishaps.small_disk(home, int(size(stage.base) + stage.written * room) + 65_536):
        shutil.copytree(stage.base, home, dirs_exist_ok=True)
        if fault == "read-only":
            mishaps.make_read_only(home, True)
        yield


def disturb(
    stage: Stage,
    fault: str,
    process: subprocess.Popen[str],
    folder: Path,
    chance: random.Random,
) -> None:
    """Wait for a random moment of the stage's time, and let the fault happen."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance.uniform(0.1, 1) * stage.seconds)
    if process.poll() is not None:
        return
    if fault == "kill":
        os.killpg(process.pid, signal.SIGKILL) if chance.random() < 0.5 else process.kill()
    elif fault == "clock":
        mishaps.jump(folder, chance)
    elif fault == "memory":
        with suppress(OSError):
            mishaps.limit_memory(process.pid, chance.randrange(1 << 26))
    elif fault == "database away":
        assert stage.server is not None
        stage.server.kill()
        time.sleep(chance.uniform(0, 3))
        stage.server.start()


def mend(stage: Stage, fault: str, home: Path) -> None:
    """Undo what would hinder the next run."""
    if fault == "read-only":
        mishaps.make_read_only(home, False)
    elif fault == "full disk":
        mishaps.resize_disk(home, 4 * (size(stage.base) + stage.written) + (1 << 24))


def start(stage: Stage, home: Path, more: Mapping[str, str]) -> subprocess.Popen[str]:
    """The stage's command, as a person runs it in an empty environment."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "PULLRISK_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        **stage.variables,
        **more,
    }
    return subprocess.Popen(
        [*PULLRISK, *stage.arguments],
        env=variables,
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str, bool]:
    """How a run ended, what it said, and whether that is good."""
    try:
        _, said = process.communicate(timeout=HANGS_AFTER)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "bad: hangs", process.communicate()[1], False
    code = process.returncode
    if code == 0:
        return "ended well", said, True
    if code < 0:
        return f"killed ({signal.Signals(-code).name})", said, True
    good = code in OWN_ERRORS and "Traceback" not in said and "defect" not in said
    return f"{'' if good else 'bad: '}exit code {code}", said, good


def served_again(stage: Stage, fault: str, folder: Path, chance: random.Random) -> Ending:
    """The service, or a worker of it, is killed: the address is free again, or all is answered."""
    home = shutil.copytree(stage.base, folder / "home")
    with Served(home, "--workers", "2").wait() as service:
        before = answer(service)
        workers = psutil.Process(service.process.pid).children(recursive=True)
        if fault == "worker":
            chance.choice(workers).kill()
            good = answer(service.wait()) == before
            return Ending(stage.name, fault, "answers" if good else "bad: another answer", good)
        service.process.kill()
        _, alive = psutil.wait_procs(workers, timeout=HANGS_AFTER)
        service.process.wait()
        port = service.port
    if alive:
        return Ending(stage.name, fault, "bad: workers live on", False)
    with Served(home, "--workers", "2", port=port).wait() as again:
        after = answer(again)
    good = after == before
    difference = "" if good else f"{before} became {after}"
    return Ending(
        stage.name, fault, "starts again" if good else "bad: another answer", good, difference
    )


def answer(service: Served) -> str:
    """What the service says of one open pull; what a killed worker left is asked again."""
    transport = httpx.HTTPTransport(retries=3)
    with httpx.Client(transport=transport, timeout=60) as client:
        for _ in range(3):
            with suppress(httpx.RemoteProtocolError, httpx.ReadError):
                score = client.post(f"{service.url}/v1/score", json=opened()).json()["scores"][0]
                # ages grow between two questions, and with them the digits behind these
                names = ("risk", "repair", "revert", "novelty")
                return str([float(f"{score[name]:.3g}") for name in names])
    return "none"


def sqlite_state(home: Path) -> str:
    """A digest of every record in the home folder's store."""
    with SqliteStore(home / "pulls.sqlite") as store:
        return store_state(store)


def mongo_state(uri: str) -> str:
    """A digest of every record in a MongoDB database."""
    from pullrisk.pulls.mongo import MongoStore

    with MongoStore(uri) as store:
        return store_state(store)


def store_state(store: PullStore) -> str:
    """A digest of every record, in the order of events."""
    names = sorted(summary.repository for summary in store.repositories())
    return digest(repr(event) for name in names for event in store.events(name))


def lake_state(home: Path) -> str:
    """A digest of the rows and histories of the home folder's lake."""
    return content(Lake(home / "lake"))


def content(lake: Lake) -> str:
    """A digest of the rows and histories of a lake."""
    table = rows(lake).sort_by([("repository", "ascending"), ("number", "ascending")])
    histories = (repr(lake.history(name)) for name in sorted(lake.repositories()))
    return digest([repr(table.to_pylist()), *histories])


def model_state(home: Path) -> str:
    """A digest of the newest trained model's answers for the lake's first rows."""
    files = home.glob("mlartifacts/**/model.onnx")
    newest = max(files, key=lambda path: path.stat().st_mtime)
    table = Lake(home / "lake").table(NAMES).slice(0, 200)
    inputs = np.column_stack([table[name].to_numpy() for name in NAMES]).astype(np.float32)
    scores = Bundle.load(newest).score(inputs)
    return digest([repr(np.round(scores.novelty, 9).tolist())])


def mongo_database(uri: str) -> str:
    """The name of the database in a URI."""
    return uri.rpartition("/")[2]


def drop(uri: str) -> None:
    """Begin with an empty database."""
    from pymongo import MongoClient

    with MongoClient[dict[str, object]](uri) as client:
        client.drop_database(mongo_database(uri))


def s3_variables(endpoint: str) -> dict[str, str]:
    """What a stage has to know of the bucket."""
    return {
        "PULLRISK_LAKE": "s3://lake/faults",
        "PULLRISK_S3__ENDPOINT": endpoint,
        "PULLRISK_S3__ACCESS_KEY": ACCESS_KEY,
        "PULLRISK_S3__SECRET_KEY": SECRET_KEY,
    }


def wipe(bucket: S3) -> None:
    """Begin with an empty bucket."""
    with suppress(FileNotFoundError):
        open_bucket(bucket).delete_dir("lake/faults")


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def report(endings: list[Ending], seed: int, *, as_json: bool) -> None:
    """Print a line for each stage and fault, and everything that was bad."""
    if as_json:
        print(json.dumps({"seed": seed, "runs": [vars(ending) for ending in endings]}))
        return
    counts: dict[tuple[str, str], Counter[str]] = {}
    for ending in endings:
        counts.setdefault((ending.stage, ending.fault), Counter())[ending.first] += 1
    print(f"\n{'stage':18}{'fault':16}{'runs':>5}  how the disturbed runs ended")
    for (stage, fault), ways in sorted(counts.items()):
        told = ", ".join(f"{way} {count}" for way, count in ways.most_common())
        print(f"{stage:18}{fault:16}{sum(ways.values()):5}  {told}")
    bad = [ending for ending in endings if not ending.good]
    print(f"{len(endings)} runs, {len(bad)} bad, seed {seed}")
    for ending in bad:
        print(f"\n{ending.stage}, {ending.fault}, {ending.first}\n{ending.said[-2000:]}")


def digest(parts: Iterable[str]) -> str:
    """SHA-256 over texts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode())
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
