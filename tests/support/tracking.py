"""MLflow on a fresh SQLite file: made once in a process, for its migrations take seconds."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pullrisk.train.mlflow_client import Tracking, connected


def fresh_tracking(home: Path) -> Tracking:
    """An empty registry in a home folder."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "mlflow.db").write_bytes(_empty())
    return Tracking.local(home)


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        with connected(Tracking.local(Path(folder))) as (_, client):
            client.search_experiments()
        return Path(folder, "mlflow.db").read_bytes()
