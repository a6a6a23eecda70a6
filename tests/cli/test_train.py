"""`pullrisk train` in its ways to begin: settings searched first, or a model fine-tuned."""

import gzip
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from pullrisk.train.mlflow_client import Tracking, connected

SAMPLE = Path(__file__).parents[2] / "sample"


def make_home(folder: Path, name: str, latest: int) -> Path:
    with gzip.open(SAMPLE / f"{name}.jsonl.gz") as lines:
        (folder / "pulls.jsonl").write_bytes(b"".join(deque(lines, latest)))
    home = folder / "home"
    for command in (["fetch", "--file", str(folder / "pulls.jsonl")], ["preprocess"]):
        assert main([*command, "--home", str(home), "--quiet"]) == 0
    return home


def trained(capsys: pytest.CaptureFixture[str], home: Path, *more: str) -> Any:
    capsys.readouterr()
    options = ("--home", str(home), "--quiet", "--json", "--no-gate")
    assert main(["train", *options, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_search_is_logged_inside_the_run_and_told_in_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_home(tmp_path, "laravel__framework", 5_000)  # enough reverts to tell settings apart
    found = trained(capsys, home, "--tune", "2")
    assert found["tuned_trials"] == 2
    with connected(Tracking.local(home)) as (_, client):
        experiment = client.get_run(found["run_id"]).info.experiment_id
        inside = f"tags.mlflow.parentRunId = '{found['run_id']}'"
        runs = client.search_runs([experiment], inside)
    assert {run.info.run_name for run in runs} == {"trial 0", "trial 1"}
    best = next(run for run in runs if run.data.tags["best"] == "true")
    assert float(best.data.params["learning_rate"]) == found["settings"]["learning_rate"]


def test_a_fine_tuned_model_says_what_it_began_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_home(tmp_path, "kedro-org__kedro", 400)
    plain = trained(capsys, home)
    found = trained(capsys, home, "--from", plain["model"])
    assert found["started_from"].startswith(plain["model"])
    assert found["settings"]["learning_rate"] > plain["settings"]["learning_rate"]


def test_a_search_and_a_start_together_are_a_wrong_command_line(tmp_path: Path) -> None:
    assert main(["train", "--home", str(tmp_path), "--from", "general", "--tune", "2"]) == 2
