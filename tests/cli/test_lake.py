import json
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import comparable, left_files, made_pull


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a lake of two runs, the second of which replaced the first's rows."""
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path))
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        store.upsert(map(made_pull, range(1, 11)))
        preprocess(store, Lake(tmp_path / "lake"))
        preprocess(store, Lake(tmp_path / "lake"), full=True)
    return tmp_path


def test_runs_are_listed_newest_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lake", "runs", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert [run["version"] for run in runs] == [1, 0]
    assert runs[0]["facts"]["pulls"] == 10
    assert runs[0]["facts"]["repositories"] == {"o/r": "rebuilt"}
    assert main(["lake", "runs", "--limit", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["version", "committed", "(UTC)", "pulls", "rows", "repositories"]
    assert len(shown) == 2


def test_a_lake_without_runs_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path))
    assert main(["lake", "runs"]) == 0
    assert "no run yet" in "".join(capsys.readouterr())


def test_vacuum_deletes_what_nothing_refers_to_and_names_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(home / "lake")
    assert main(["lake", "vacuum"]) == 0  # nothing is a day old
    assert capsys.readouterr().out.splitlines()[:-1] == []
    before, rows = left_files(lake), lake.table()
    assert main(["lake", "vacuum", "--older-than", "0", "--json"]) == 0
    deleted = json.loads(capsys.readouterr().out)
    assert left_files(lake) == before - set(deleted)
    assert len(deleted) == 3  # rows, history and consumed pulls of the first run
    assert comparable(Lake(home / "lake").table()).equals(comparable(rows))
