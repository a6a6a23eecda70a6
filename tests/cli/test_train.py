"""`pullrisk train` begins from another model: fine-tuning."""

import gzip
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main

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


def test_a_fine_tuned_model_says_what_it_began_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_home(tmp_path, "kedro-org__kedro", 400)
    plain = trained(capsys, home)
    found = trained(capsys, home, "--from", plain["model"])
    assert found["started_from"].startswith(plain["model"])
    assert found["settings"]["learning_rate"] > plain["settings"]["learning_rate"]
