"""What is open and recent in the store, the riskiest first; and the brief of one of them."""

import json
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.rest import parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from support.sample import sample_pulls
from support.serving import opened

PULLS = 200


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kedro's first pull requests, and one that is open."""
    home = tmp_path_factory.mktemp("home")
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert(sample_pulls(PULLS))
        store.upsert([parse_rest(json.dumps(opened(PULLS + 1)))])
        preprocess(store, Lake(home / "lake"), workers=1)
    return home


def test_top_looks_at_the_open_and_the_latest_merged_ones(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["top", "--home", str(home), "--model", "general", "-q", "--json"]
    assert main([*command, "--merged", "20", "--show", "100"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in told].count("open") == 1
    assert len(told) == 21
    risks = [one["risk"] for one in told]
    assert risks == sorted(risks, reverse=True)
    assert main([*command, "--merged", "0"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["open"]


def test_explain_tells_the_brief_of_a_stored_pull(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = opened(PULLS + 1)["number"]
    command = ["explain", f"kedro-org/kedro#{number}", "--home", str(home), "--model", "general"]
    assert main([*command, "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"kedro-org/kedro#{number} ")
    assert f"https://github.com/kedro-org/kedro/pull/{number}" in lines
    assert max(map(len, lines)) <= 100


def test_an_empty_store_has_no_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--home", str(tmp_path), "-q"]) == 8
    assert "pullrisk fetch" in capsys.readouterr().err
