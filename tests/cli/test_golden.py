import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pullrisk.cli import main
from support.sample import sample_file
from support.serving import GENERAL, Served, make_home, served


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pinned")
    arguments = ["golden", "record", "general", "--file", str(sample_file())]
    arguments += ["--folder", str(folder)]
    assert main([*arguments, "--home", str(folder / "home")]) == 0
    return folder / "expected.json"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("served") / "home", pulls=60)


@pytest.fixture(scope="module")
def good(home: Path) -> Iterator[Served]:
    with served(home, "--model", "general") as one:
        yield one


@pytest.fixture(scope="module")
def different(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that is ready, whose model answers differently."""
    with served(home, "--model", str(halved(tmp_path_factory.mktemp("model")))) as one:
        yield one


def halved(folder: Path) -> Path:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(GENERAL.read_bytes())
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array(weights * np.float32(0.5), largest.name))
    onnx.save(model, folder / "halved.onnx")
    return folder / "halved.onnx"


def check(capsys: pytest.CaptureFixture[str], url: str, expected: Path) -> tuple[int, Any]:
    code = main(["golden", "check", url, "--expected", str(expected), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_service_with_the_pinned_model_passes(
    good: Served, expected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = check(capsys, good.url, expected)
    assert code == 0
    assert [(one["what"], one["state"]) for one in checks] == [
        ("readiness", "ok"),
        ("model", "ok"),
        ("golden predictions", "ok"),
    ]


def test_a_service_with_another_model_is_refused_by_its_version_and_its_answers(
    different: Served, expected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = check(capsys, different.url, expected)
    assert code == 1
    broken = {one["what"]: one["found"] for one in checks if one["state"] == "broken"}
    assert set(broken) == {"model", "golden predictions"}
    assert broken["golden predictions"].startswith("10 of 10 differ")


@pytest.mark.parametrize("answer", ["risk", "repair", "revert", "novelty_error"])
def test_one_answer_that_differs_is_enough(
    good: Served, expected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    changed = json.loads(expected.read_bytes())
    changed["answers"][3][answer] *= 1.001
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    code, checks = check(capsys, good.url, tmp_path / "changed.json")
    assert code == 1
    assert checks[-1]["found"].startswith("1 of 10 differ, the first is 3:")


def test_another_feature_schema_is_refused(
    good: Served, expected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads(expected.read_bytes()) | {"schema_hash": "0123456789abcdef"}
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    code, checks = check(capsys, good.url, tmp_path / "changed.json")
    assert code == 1
    assert checks[1]["state"] == "broken"
    assert "schema 0123456789abcdef" in checks[1]["found"]


def test_a_service_that_is_away_is_refused_and_asked_again_while_there_is_time(
    expected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.ports import free_port

    url = f"http://127.0.0.1:{free_port()}"
    assert main(["golden", "check", url, "--expected", str(expected), "--wait", "0.3"]) == 1
    assert "gives no answer" in capsys.readouterr().out


def test_a_service_that_asks_for_a_key_gets_the_first_one(
    home: Path, expected: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = home.parent / "keys"
    keys.write_text("first\nsecond\n")
    with served(home, "--model", "general", keys_file=keys) as one:
        assert check(capsys, one.url, expected)[0] == 1
        monkeypatch.setenv("PULLRISK_API_KEYS", "first,second")
        assert check(capsys, one.url, expected)[0] == 0


def test_the_answers_depend_neither_on_the_lake_nor_on_the_time(
    expected: Path, tmp_path: Path
) -> None:
    again = ["golden", "record", "general", "--file", str(sample_file()), "--folder", str(tmp_path)]
    assert main([*again, "--home", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "expected.json").read_bytes() == expected.read_bytes()
    assert "version=general\n" in (tmp_path / "model.env").read_text()


def test_an_alias_cannot_be_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main(["golden", "record", "@champion", "--file", str(sample_file()), *folder]) == 3
    assert "@champion is no exact version" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "count", "told"),
    [("{", 1, "pull request 1 cannot be read"), ("", 1, "only 0 of 1 pull requests")],
)
def test_input_that_does_not_do_is_named(
    text: str, count: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pulls.jsonl").write_text(text)
    arguments = ["--file", str(tmp_path / "pulls.jsonl"), "--count", str(count)]
    assert main(["golden", "record", "general", *arguments, "--folder", str(tmp_path)]) == 4
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", '{"pinned": 3}'])
def test_expectations_that_are_none_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "expected.json").write_text(text)
    path = str(tmp_path / "expected.json")
    assert main(["golden", "check", "http://127.0.0.1:1", "--expected", path]) == 4
    assert "cannot be read" in capsys.readouterr().err


def test_only_http_is_asked(expected: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "check", "file:///etc/passwd", "--expected", str(expected)]) == 3


def test_what_is_written_is_small_enough_for_git(expected: Path) -> None:
    assert expected.stat().st_size < 100_000
    assert len(msgspec.json.decode(expected.read_bytes())["pulls"]) == 10
