import gzip
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.pulls.record import parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.synth import pulls

MADE = list(pulls(50, repositories=3, seed=4))
ARGUMENTS = ["synth", "--pulls", "50", "--repositories", "3", "--seed", "4", "--quiet"]


def test_lines_go_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(ARGUMENTS) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert [parse_rest(line) for line in lines] == MADE


@pytest.mark.parametrize("name", ["made.jsonl", "made.jsonl.gz"])
def test_a_file_holds_them_and_no_partial_one_stays(tmp_path: Path, name: str) -> None:
    assert main([*ARGUMENTS, "--output", str(tmp_path / name)]) == 0
    content = (tmp_path / name).read_bytes()
    lines = (gzip.decompress(content) if name.endswith(".gz") else content).splitlines()
    assert [parse_rest(line) for line in lines] == MADE
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_they_can_go_straight_into_the_store(tmp_path: Path) -> None:
    assert main([*ARGUMENTS, "--to-store", "--home", str(tmp_path)]) == 0
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        assert len(store.repositories()) == 3
        assert list(store.events("synthetic/repository-2")) == [
            pull for pull in MADE if pull.repository == "synthetic/repository-2"
        ]


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ARGUMENTS, "--output", str(tmp_path / "none" / "made.jsonl")]) == 4
    assert "made.jsonl: cannot be written: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--repositories", "51"], ["--to-store", "--output", "made.jsonl"]]
)
def test_contradictions_are_refused(wrong: list[str]) -> None:
    assert main([*ARGUMENTS, *wrong]) == 2
