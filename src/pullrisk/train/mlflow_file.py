"""MLflow's database where that is a file on this machine: there whole, or not at all."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "sqlite:///"


def ensure_database(uri: str, artifacts: Path) -> None:
    """Make the SQLite file of `uri` with all its tables, unless it is there.

    MLflow makes its tables in dozens of steps and cannot go on from the middle of them: a run
    killed there would leave a file that no later run can use. So they are made in a draft beside
    it, which then takes its name. `artifacts` is where MLflow's default experiment keeps its own.
    Raises OSError where the folder cannot be written.
    """
    from sqlalchemy.engine import make_url

    path = Path(make_url(uri).database or "")
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with _alone(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        draft.unlink(missing_ok=True)
        _make(draft, artifacts)
        draft.replace(path)


def _make(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(f"{PREFIX}{path.absolute()}", artifacts.absolute().as_uri())
    store.engine.dispose()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out; the lock ends with the process, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
