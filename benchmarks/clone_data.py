"""What the benchmarks of clones share: where one lies, and the events that are read from it."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.progress import Silent
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"


def find_clone(folder: Path, name: str) -> Path | None:
    """The clone in owner+name/repo, owner+name or owner/name; without one None, and a note."""
    joined = name.replace("/", "+")
    for path in (folder / joined / "repo", folder / joined, folder / name):
        if path.is_dir():
            return path
    print(f"{name}: no clone in {folder}", file=sys.stderr)
    return None


def read_events(clone: Path, name: str) -> list[Pull]:
    """The pulls and pushes that the product reads from a clone, in order."""
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "pulls.sqlite") as store:
        fetch_git(clone, store, salt=b"s" * 32, progress=Silent(), repository=name)
        return list(store.events(name))
