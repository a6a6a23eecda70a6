"""`pullrisk monitor` as a person or a cron job runs it."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from pullrisk.cli import main
from pullrisk.cli.commands.monitor import CROSSED
from support.sample import sample_lines

PULLS = 1_800


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on the first pull requests of Kedro, and all of them in the lake."""
    folder = tmp_path_factory.mktemp("monitor")
    (folder / "kedro.jsonl").write_bytes(b"".join(sample_lines(PULLS)))
    home = folder / "home"
    fetch = ["fetch", "--file", str(folder / "kedro.jsonl")]
    for command in (fetch, ["preprocess"], ["train", "--no-gate"]):
        assert main([*command, "--home", str(home), "--quiet"]) == 0
    return home


def look(capsys: pytest.CaptureFixture[str], home: Path, *more: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = main(["monitor", "--home", str(home), "--quiet", "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def test_old_data_are_an_alarm_by_the_exit_code(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = look(capsys, home)
    assert code == CROSSED
    assert "data age" in {one["kind"] for one in found["monitored"]["alarms"]}
    assert found["retrained"] is None


def test_thresholds_are_settings_and_without_an_alarm_all_is_well(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATA_AGE_DAYS": "100000",
        "INDEX": "100",
        "CALIBRATION_RATIO": "50",
    }.items():
        monkeypatch.setenv(f"PULLRISK_MONITOR__{name}", value)
    code, found = look(capsys, home)
    assert (code, found["monitored"]["alarms"]) == (0, [])
    assert found["monitored"]["drift"][0]["pulls"] >= 100


def test_the_page_and_the_metrics_lie_where_they_were_asked_for(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, metrics = tmp_path / "a.html", tmp_path / "b.prom"
    look(capsys, home, "--output", str(page), "--metrics", str(metrics))
    assert "Does the model still fit?" in page.read_text(encoding="utf-8")
    assert 'pullrisk_monitor_alarms{kind="data age"} 1' in metrics.read_text(encoding="utf-8")


def test_the_table_for_people_names_the_alarm_and_the_page(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["monitor", "--home", str(home), "--quiet"]) == CROSSED
    shown = capsys.readouterr()
    assert "alarm (data age)" in shown.err
    assert str(home / "monitor.html") in shown.out


def test_retraining_registers_a_new_version_and_asks_the_gate(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "home"  # the retrained model may be used from then on
    copytree(home, own)
    code, found = look(capsys, own, "--retrain")
    assert code == CROSSED
    assert found["retrained"]["version"] == "2"
    assert "challenger" in found["retrained"]["aliases"]
    assert found["retrained"]["gate"] is not None


def test_a_missing_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tmp_path / "gone.onnx")
    assert main(["monitor", "--home", str(tmp_path), "--model", model, "--quiet"]) == 7
    assert "pullrisk train" in capsys.readouterr().err
