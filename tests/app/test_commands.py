"""`pullrisk deliveries`, `pullrisk feedback` and `pullrisk fetch --installed`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.pulls.deliveries import Delivery
from pullrisk.pulls.deliveries_sqlite import SqliteDeliveries
from pullrisk.pulls.feedback import Feedback, save_feedback
from pullrisk.pulls.sqlite import SqliteStore

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path))
    return tmp_path / "pulls.sqlite"


@pytest.fixture
def dead(store: Path) -> list[str]:
    """Two deliveries that were given up, beside one that waits."""
    queue = SqliteDeliveries(store)
    names = [f"delivery-{number}" for number in (1, 2, 3)]
    for name in names:
        queue.add(
            Delivery(
                id=name, event="pull_request", subject=f"pull:7:{name}", body=name.encode(),
                received_at=MOMENT,
            )
        )  # fmt: skip
    for _ in range(2):
        lease = queue.lease(now=MOMENT, seconds=60)
        assert lease is not None
        queue.bury(lease, "no such [pull]")
    queue.close()
    return names[:2]


def test_deliveries_are_listed_and_counted(
    dead: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deliveries", "list", "--state", "dead"]) == 0
    shown = capsys.readouterr().out
    assert "1 waiting, 0 done, 2 dead" in shown
    assert main(["deliveries", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 3
    assert {each["error"] for each in listed if each["id"] in dead} == {"no such [pull]"}


def test_the_dead_are_repeated_by_id_or_all(
    dead: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deliveries", "repeat", dead[0]]) == 0
    assert "1 deliveries wait again" in capsys.readouterr().out
    assert main(["deliveries", "repeat", dead[0]]) == 4
    assert "not dead" in capsys.readouterr().err
    assert main(["deliveries", "repeat", "--all"]) == 0
    assert "1 deliveries wait again" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--all", "delivery-1"]])
def test_what_to_repeat_has_to_be_said(
    store: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deliveries", "repeat", *arguments]) == 4
    assert "name deliveries, or give --all" in capsys.readouterr().err


def test_looking_at_deliveries_creates_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deliveries", "list"]) == 0
    assert "0 waiting, 0 done, 0 dead" in capsys.readouterr().out
    assert not store.exists()


def test_feedback_is_listed_the_latest_first(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SqliteStore(store) as opened:
        for number in (1, 2):
            said = Feedback(
                repository=f"o/r{number}", number=number, kind="noisy", login="mara",
                at=MOMENT.replace(day=number), risk=0.25, band="high",
            )  # fmt: skip
            save_feedback(opened, "github.com", number, said)
    assert main(["feedback", "--json"]) == 0
    assert [each["number"] for each in json.loads(capsys.readouterr().out)] == [2, 1]
    assert main(["feedback", "--repository", "o/r1"]) == 0
    shown = capsys.readouterr().out
    assert "o/r1#1" in shown
    assert "25.0%" in shown
    assert "o/r2" not in shown


def test_without_an_installation_there_is_nothing_to_fetch(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "--installed"]) == 4
    assert "no repository is known where the GitHub App is installed" in capsys.readouterr().err
