"""The pipeline with marked credentials from Vault: they are used, and turn up nowhere."""

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from pyarrow.fs import copy_files

from pullrisk.lake.s3 import open_bucket
from pullrisk.pulls.mongo import MongoStore
from support.bao import Bao
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.processes import PULLRISK
from support.sample import latest_lines
from support.seaweed import BUCKET, Seaweed
from support.vault import MARK, marked, put, write_all
from support.watch import Watched, files_holding, run_watched

pytest.importorskip("nx_27017", reason="nx-27017 is not installed")
pytest.importorskip("jax", reason="the extra train is not installed")

LATEST = 1_500
"""Pull requests: enough trouble to train on."""
CROSSED = 12
"""Exit code of a monitoring that finds a model to be stale: the sample's pulls are years old."""
S3_STAGES = ("spark-preprocess", "ml-training", "model-serving", "monitor")
STAGES_RUN = ("data-fetch", *S3_STAGES)
Run = Callable[..., Watched]


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a MongoDB that lets in only the marked user with the marked password."""
    with (
        MongoStandIn(tmp_path_factory.mktemp("mongo")) as server,
        gate(server.port, user="fetcher", password=f"password-{MARK}") as port,
    ):
        yield port


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """S3 with a user of its own for each stage, whose keys are marked."""
    folder = tmp_path_factory.mktemp("seaweed")
    server = Seaweed(folder)
    identities = json.loads((folder / "s3.json").read_text())
    for stage in S3_STAGES:
        keys = {
            "accessKey": marked(stage, "do_spaces_key"),
            "secretKey": marked(stage, "do_spaces_secret"),
        }
        first = identities["identities"][0]
        identities["identities"].append(first | {"name": stage, "credentials": [keys]})
    (folder / "s3.json").write_text(json.dumps(identities))
    with server:
        yield server


@pytest.fixture
def vault_with_places(bao: Bao, mongo: int, spaces: Seaweed, tmp_path: Path) -> Iterator[Bao]:
    """Every stage's secrets marked, and those for MongoDB and MLflow good to work with."""
    from pullrisk.secrets.names import STAGES

    for stage in STAGES_RUN:
        values = {name: marked(stage, name) for name in STAGES[stage].names}
        uri = (
            f"mongodb://fetcher:password-{MARK}@127.0.0.1:{mongo}/pulls?authMechanism=SCRAM-SHA-256"
        )
        places = {
            "mongo_uri": uri,
            "mlflow_uri": f"sqlite:///{tmp_path}/home/mlflow.db",
            "do_spaces_endpoint": spaces.endpoint,
            "do_spaces_bucket": BUCKET,
        }
        put(bao, f"mlops/{stage}", values | {n: v for n, v in places.items() if n in values})
    yield bao
    write_all(bao)


@pytest.fixture
def pullrisk(
    environment: Callable[..., dict[str, str]], vault_with_places: Bao, tmp_path: Path
) -> Run:
    """Runs one command as its stage, with everything that can make it talkative switched on."""

    def run(stage: str, *arguments: str, **more: str) -> Watched:
        variables = {
            "PATH": "/usr/bin:/bin",
            "PULLRISK_HOME": str(tmp_path / "home"),
            "PULLRISK_LOG_FORMAT": "json",
            "PULLRISK_DEBUG": "1",
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
        }
        return run_watched([*PULLRISK, *arguments], variables | environment(stage) | more)

    return run


@pytest.fixture
def pulls(tmp_path: Path) -> str:
    lines = latest_lines(LATEST, repository="astral-sh/uv")
    (tmp_path / "pulls.jsonl").write_bytes(b"".join(lines))
    return str(tmp_path / "pulls.jsonl")


def clean(ran: Watched, *, code: int = 0) -> Watched:
    """The program ended so, was seen by the watcher, and showed no marked value."""
    assert MARK not in ran.output, ran.output[: ran.output.find(MARK) + 100]
    assert ran.code == code, ran.output
    assert ran.processes
    assert any("VAULT_ADDR" in shown for shown in ran.processes.values())
    assert [pid for pid, shown in ran.processes.items() if MARK in shown] == []
    return ran


def test_the_whole_pipeline_uses_the_secrets_and_shows_none(
    pullrisk: Run, pulls: str, tmp_path: Path, mongo: int, spaces: Seaweed
) -> None:
    fetched = clean(pullrisk("data-fetch", "fetch", "--file", pulls))
    assert f"{LATEST:,} new" in fetched.output
    clean(pullrisk("spark-preprocess", "preprocess", "--workers", "2"))
    clean(pullrisk("ml-training", "train"))
    clean(pullrisk("model-serving", "score", "--recent", "5", "--json"))
    clean(pullrisk("model-serving", "report"))
    clean(pullrisk("monitor", "monitor"), code=CROSSED)
    store = MongoStore(
        f"mongodb://fetcher:password-{MARK}@127.0.0.1:{mongo}/pulls?authMechanism=SCRAM-SHA-256"
    )
    assert store.repositories()[0].pulls == LATEST, "the marked password was needed, and used"
    store.close()
    home = tmp_path / "home"
    copied = tmp_path / "home" / "bucket"
    copy_files(BUCKET, str(copied), source_filesystem=open_bucket(spaces.s3))
    suffixes = {path.suffix for path in home.rglob("*") if path.is_file()}
    assert {".db", ".parquet", ".onnx", ".html", ".history", ".prom"} <= suffixes
    assert not (home / "pulls.sqlite").exists()
    assert not (home / "lake").exists(), "the marked keys were needed, and used"
    assert files_holding(home, MARK) == []


@pytest.mark.parametrize("debug", ["", "1"])
def test_failures_show_no_secret_either(pullrisk: Run, pulls: str, bao: Bao, debug: str) -> None:
    refused = f"mongodb://fetcher:wrong-{MARK}@127.0.0.1:1/pulls?serverSelectionTimeoutMS=200"
    put(bao, "mlops/data-fetch", {"mongo_uri": refused, "github_token": f"t-{MARK}"})
    ran = pullrisk("data-fetch", "fetch", "--file", pulls, PULLRISK_DEBUG=debug)
    clean(ran, code=5)
    assert "127.0.0.1:1" in ran.output
    broken = f"mongodb://fetcher:p@ss-{MARK}@@/"
    put(bao, "mlops/data-fetch", {"mongo_uri": broken, "github_token": f"t-{MARK}"})
    ran = pullrisk("data-fetch", "fetch", "--file", pulls, PULLRISK_DEBUG=debug)
    assert ran.code != 0
    clean(ran, code=ran.code)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Without this, the tests above could pass by looking in the wrong way."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = pa.table({"author": [f"a-{MARK}"], "risk": pa.array([1.0], pa.float32())})
    pq.write_table(row, tmp_path / "rows.parquet", compression="zstd")
    (tmp_path / "page.html").write_text(f"<p>{MARK}</p>")
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(MARK.encode()))
    packed = pa.Codec("zstd").compress(MARK.encode() * 9, asbytes=True)
    (tmp_path / "one.history").write_bytes(b"PRO1" + b"x" * 16 + packed)
    (tmp_path / "fine.json").write_text(json.dumps({"mark": "none"}))
    holding = ["one.history", "page.html", "rows.parquet", "zipped.gz"]
    assert files_holding(tmp_path, MARK) == holding
    program = f"import subprocess; subprocess.run(['cat'], env={{'X': '{MARK}'}})"

    def both_show_it(processes: Mapping[int, str]) -> bool:
        return sum(MARK in shown for shown in processes.values()) == 2

    path = {"PATH": "/usr/bin:/bin"}
    ran = run_watched([sys.executable, "-c", program], path, seen_enough=both_show_it)
    assert both_show_it(ran.processes)
