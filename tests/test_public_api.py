"""The names that `pullrisk` exports, and the examples of docs/python.md."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pullrisk
from support.clones import make_clone
from support.sample import sample_pulls
from support.serving import make_home, opened

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
NAMES = {"Clone", "Home", "Pull", "Score", "open_clone", "open_home", "read_pulls", "__version__"}
PULLS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clone, a home and a file of open pulls, as the page has them."""
    folder = tmp_path_factory.mktemp("notebook")
    pulls = sorted(sample_pulls(PULLS), key=lambda pull: str(pull.merged_at))
    make_clone(folder / "project", pulls)
    make_home(folder / ".pullrisk", pulls=PULLS)
    (folder / "open.jsonl").write_text(json.dumps(opened(PULLS + 1)), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PULLRISK_HOME", raising=False)


def test_the_public_names_are_these() -> None:
    assert set(pullrisk.__all__) == NAMES
    assert set(dir(pullrisk)) == NAMES
    for name in NAMES:
        assert getattr(pullrisk, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'open_hom'"):
        pullrisk.open_hom  # type: ignore[attr-defined]  # noqa: B018


def test_importing_pullrisk_imports_nothing_else() -> None:
    code = "import sys, typing; old = {*sys.modules}; import pullrisk; print({*sys.modules} - old)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{'pullrisk'}"


def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(code, names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "local/project, scored with the general model"
    assert len(re.findall(r"(?m)^#\d+: \d+\.\d%, (?:low|elevated|high), novelty \d+$",
                          "\n".join(lines))) == 3  # fmt: skip
    assert lines[4].startswith(f"{PULLS} pull requests, ")
    assert len(lines) > 6


def test_a_home_scores_as_the_command_line_does(capsys: pytest.CaptureFixture[str]) -> None:
    from pullrisk.cli import main

    assert main(["score", "--recent", "5", "--model", "general", "--json", "-q"]) == 0
    told = [score["risk"] for score in json.loads(capsys.readouterr().out)]
    with pullrisk.open_home(model="general") as home:
        scores = home.score(home.pulls(recent=5))
        assert [score.risk for score in scores] == told
        assert [brief.risk for brief in home.briefs(home.pulls(recent=5))] == told


def test_the_features_of_a_home_are_those_of_its_lake() -> None:
    from pullrisk.features import NAMES as FEATURES

    with pullrisk.open_home(".pullrisk") as home:
        table = home.features(repository=home.repositories()[0])
    assert table.column_names == ["repository", "number", "merged_at", "author", *FEATURES]
    assert table.num_rows > 100


def test_a_clone_is_kept_in_the_home(folder: Path) -> None:
    clone = pullrisk.open_clone(folder / "project", repository="o/r")
    kept = clone._folded.history.folder.parent
    assert kept.is_dir()
    assert clone.repository == "o/r"
    clone.close()
    assert kept.parent == folder / ".pullrisk" / "clones"
    assert kept.is_dir()


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path) -> None:
    from pullrisk.errors import InputError

    with pytest.raises(InputError):
        pullrisk.open_clone(tmp_path)
