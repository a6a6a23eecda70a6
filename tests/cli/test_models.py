"""`pullrisk train` and `pullrisk models` on a home with a real lake and a real registry."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from pullrisk.model.bundle import Bundle
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.registry import champion, download, versions
from pullrisk.train.tracking import RunRecord, track
from support.forked import TRAINING, run_forked
from support.serving import make_home
from support.tracking import fresh_tracking

OWN = "own.onnx"
"""The trained model; `model.onnx` is the general one, for the gate kept that out."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A lake of 300 pulls, a model trained on it by the command line, and what that printed."""
    home = make_home(tmp_path_factory.mktemp("home"), pulls=300)
    fresh_tracking(home)
    arguments = ["train", "--json", "--home", str(home)]
    ran = run_forked(arguments, env=os.environ, preload=TRAINING)
    assert ran.returncode == 0, ran.stderr
    printed = json.loads(ran.stdout)
    own = download(Tracking.local(home), printed["version"], home / "download")
    own.rename(home / OWN)
    return home, printed, ran.stderr


@pytest.fixture
def home(made: tuple[Path, dict[str, Any], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home with an empty registry."""
    monkeypatch.setenv("PULLRISK_HOME", str(made[0]))
    fresh_tracking(made[0])
    return made[0]


def register(home: Path, count: int = 1) -> None:
    """The trained model, as so many versions."""
    bundle = Bundle.load(home / OWN)
    for _ in range(count):
        track(Tracking.local(home), bundle, RunRecord(settings={}, tags={}))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["models", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, err = run(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_an_empty_registry_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no model is registered" in run(capsys, "list")[1]
    assert said(capsys, "list") == {"versions": [], "changes": []}


def test_a_forced_promotion_needs_a_reason_and_a_confirmation(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(home)
    code, _, err = run(capsys, "promote", "--force")
    assert code == 3
    assert "--reason" in err
    code, _, err = run(capsys, "promote", "--force", "--reason", "new schema")
    assert code == 0
    assert "add --yes" in err
    assert champion(Tracking.local(home)) is None
    code, out, _ = run(
        capsys, "promote", "--force", "--reason", "new schema", "--by", "ann", "--yes"
    )
    assert code == 0
    assert "version 1 was promoted by ann: forced: new schema" in out
    found = said(capsys, "list")
    assert found["versions"][0]["aliases"] == ["challenger", "champion"]
    assert found["changes"][0]["by"] == "ann"


def test_a_rollback_goes_back_and_both_changes_are_listed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(home, 2)
    for version in ("1", "2"):
        said(capsys, "promote", version, "--force", "--reason", "x", "--yes")
    code, _, err = run(capsys, "rollback", "--yes")
    assert code == 3
    assert "--reason" in err
    code, _, err = run(capsys, "rollback")
    assert code == 0
    assert "1 would become champion" in err
    found = said(capsys, "rollback", "--reason", "worse", "--yes")
    assert found["version"] == "1"
    assert (found["change"]["action"], found["change"]["replaced"]) == ("rollback", "2")
    out = run(capsys, "list")[1]
    assert "rolled back" in out
    assert "version 1 was rolled back to instead of 2" in out


def test_a_rollback_without_an_earlier_champion_or_to_the_present_one_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(home)
    assert run(capsys, "rollback")[0] == 7
    said(capsys, "promote", "1", "--force", "--reason", "x", "--yes")
    code, _, err = run(capsys, "rollback", "--to", "1", "--reason", "x", "--yes")
    assert code == 7
    assert "champion already" in err


def test_with_too_few_reverts_training_says_that_there_is_no_risk_and_the_gate_says_why(
    made: tuple[Path, dict[str, Any], str],
) -> None:
    home, printed, _ = made
    assert any("reverts are too few" in note for note in printed["notes"])
    assert printed["aliases"] == ["challenger"]
    assert printed["gate"]["promote"] is False
    assert Bundle.load(home / OWN).metadata.risk_available is False


def test_a_home_whose_model_is_kept_out_scores_with_the_general_one(
    made: tuple[Path, dict[str, Any], str],
) -> None:
    metadata = Bundle.load(made[0] / "model.onnx").metadata
    assert metadata.risk_available
    assert set(metadata.facts.measured_on) <= metadata.novelty.by_repository.keys()


def test_the_gate_keeps_a_model_out_with_exit_code_1_and_prints_why(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(home)
    code, out, err = run(capsys, "promote", "--yes", "--quiet")
    assert code == 1, err
    assert "the gate keeps version 1 out" in out
    assert champion(Tracking.local(home)) is None
    assert said(capsys, "list")["versions"][0]["tags"]["gate"] == "blocked"


def test_models_without_risk_leave_nothing_to_compare(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(home)
    file = str(home / OWN)
    found = said(capsys, "compare", "@challenger", file)
    assert (found["pulls"], found["difference"]) == (0, {})
    assert "no matured pull request is left" in run(capsys, "compare", "1", file)[1]


def test_a_kept_model_is_registered_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(home / OWN)
    first = said(capsys, "register", path)
    assert (first["version"], first["new"]) == ("1", True)
    assert said(capsys, "register", path)["new"] is False
    assert len(versions(Tracking.local(home))) == 1


def test_a_corrupt_file_is_not_registered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "cut.onnx").write_bytes((home / OWN).read_bytes()[:5000])
    code, _, err = run(capsys, "register", str(home / "cut.onnx"))
    assert code == 7
    assert "not a readable ONNX file" in err


def test_a_database_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path))
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 1000)
    code, _, err = run(capsys, "list")
    assert code == 7, err
    assert "mlflow_uri" in err
    assert "Traceback" not in err
