"""MLflow on a fresh SQLite file, copied: its migrations take seconds."""

import fcntl
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pullrisk.train import mlflow_client
from pullrisk.train.mlflow_client import Tracking, connected

KEPT: Final = Path(__file__).parents[2] / ".pytest_cache"


def fresh_tracking(home: Path) -> Tracking:
    """An empty registry in a home folder."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "mlflow.db").write_bytes(empty_database())
    return Tracking.local(home)


@cache
def empty_database() -> bytes:
    """Made once for all processes and runs, until MLflow or the code that makes it changes."""
    code = Path(mlflow_client.__file__).read_bytes()
    name = sha256(version("mlflow-skinny").encode() + code).hexdigest()[:16]
    path = KEPT / f"mlflow-{name}.db"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            draft = path.with_suffix(".draft")
            draft.write_bytes(_made())
            draft.rename(path)
    return path.read_bytes()


def _made() -> bytes:
    with TemporaryDirectory() as folder:
        with connected(Tracking.local(Path(folder))) as (_, client):
            client.search_experiments()
        return Path(folder, "mlflow.db").read_bytes()
