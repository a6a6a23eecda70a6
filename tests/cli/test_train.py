"""`pullrisk train` begins from another model: fine-tuning."""

import json
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from support.sample import latest_lines


def make_home(folder: Path, name: str, latest: int) -> Path:
    (folder / "pulls.jsonl").write_bytes(b"".join(latest_lines(latest, repository=name)))
    home = folder / "home"
    for command in (["fetch", "--file", str(folder / "pulls.jsonl")], ["preprocess"]):
        assert main([*command, "--home", str(home), "--quiet"]) == 0
    return home


def trained(capsys: pytest.CaptureFixture[str], home: Path, *more: str) -> Any:
    capsys.readouterr()
    options = ("--home", str(home), "--quiet", "--json", "--no-gate")
    assert main(["train", *options, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_fine_tuned_model_says_what_it_began_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_home(tmp_path, "kedro-org/kedro", 400)
    plain = trained(capsys, home)
    found = trained(capsys, home, "--from", plain["model"])
    assert found["started_from"].startswith(plain["model"])
    assert found["settings"]["learning_rate"] > plain["settings"]["learning_rate"]
