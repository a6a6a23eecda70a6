"""`pullrisk store`, and every other command on a store that is MongoDB."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.ports import free_port

DAY = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a store of three pulls; the home folder is empty."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "filled.sqlite"
    moments = (DAY + timedelta(days=n) for n in range(3))
    with SqliteStore(path) as store:
        store.upsert(
            Pull(repository="o/r", number=n, created_at=at, updated_at=at, merged_at=at)
            for n, at in enumerate(moments, 1)
        )
    return str(path)


def test_copy_moves_a_store_into_the_configured_one(
    filled: str, mongo_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_STORE", mongo_uri)
    assert main(["store", "copy", filled, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["written"]["inserted"] == 3
    assert main(["store", "copy", filled]) == 0
    assert "0 new, 0 updated, 3 already there" in capsys.readouterr().out
    with MongoStore(mongo_uri) as store:
        assert [pull.number for pull in store.events("o/r")] == [1, 2, 3]


def test_stats_count_each_repository(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "stats", filled]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "o/r 3 3 0 0 2024-01-01 2024-01-03 3 pull requests of 1 repositories" in shown
    assert main(["store", "stats", filled, "--json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)
    assert (summary["repository"], summary["pulls"], summary["merged"]) == ("o/r", 3, 3)


def test_fetch_writes_into_the_mongodb_that_one_setting_names(
    tmp_path: Path,
    mongo_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_STORE", mongo_uri)
    line = (
        '{"number":5,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z",'
        '"title":"t","base":{"repo":{"full_name":"o/r"}}}\n'
    )
    (tmp_path / "a.jsonl").write_text(line)
    assert main(["fetch", "--file", "a.jsonl"]) == 0
    assert main(["store", "stats", "--json"]) == 0
    assert '"open": 1' in capsys.readouterr().out
    assert not list(tmp_path.glob("**/*.sqlite"))


@pytest.mark.parametrize(
    ("store", "code", "said"),
    [
        ("mongodb://ann:s3cret@127.0.0.1:{port}/db?serverSelectionTimeoutMS=200", 5, "no server"),
        ("mongodb://ann:s3cret@h/db?retryWritez=true", 3, "retrywritez"),
        ("mongodb://ann:s3/cret@h/db", 3, "%3A %2F"),
        ("postgres://ann:s3cret@h/db", 3, "unknown kind"),
    ],
)
def test_a_store_that_cannot_be_used_ends_with_its_code_and_without_the_password(
    *,
    store: str,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PULLRISK_STORE", store.format(port=free_port()))
    monkeypatch.setenv("PULLRISK_DEBUG", "1")
    assert main(["store", "stats"]) == code
    shown = "".join(capsys.readouterr())
    assert said in shown
    assert "cret" not in shown


def test_a_store_is_not_copied_onto_itself(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "copy", filled, filled]) == 4
    assert "the same" in capsys.readouterr().err


def test_a_mistyped_source_is_an_error_and_creates_nothing(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["store", "copy", f"{filled}x", str(tmp_path / "new.sqlite")]) == 4
    assert "holds no pull requests" in capsys.readouterr().err
    assert not (tmp_path / "new.sqlite").exists()
