"""Scores from a clone alone, as a person asks for them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from pullrisk.pulls.record import parse_rest
from pullrisk.settings import load
from pullrisk.wiring.scoring import Clone, FoldedClone
from pullrisk.wiring.session import Session
from support.clones import make_clone
from support.sample import sample_pulls
from support.serving import opened

PULLS = 300


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kedro's first pull requests as a repository without an origin."""
    pulls = sorted(sample_pulls(PULLS), key=lambda one: str(one.merged_at))
    return make_clone(tmp_path_factory.mktemp("clones") / "my kedro", pulls)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["score", *arguments, "--json", "--quiet"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_clone_is_scored_at_once_with_reasons_and_without_a_store(
    clone: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = answers(capsys, "--git", str(clone), "--recent", "40")
    assert len(scored) == 40
    assert {one["repository"] for one in scored} == {"local/my-kedro"}
    assert {one["basis"] for one in scored} == {"row"}
    assert all(one["risk"] is not None and one["brief"] for one in scored)
    assert len({one["risk"] for one in scored}) > 10
    assert {one["band"] for one in scored} >= {"low"}
    assert {path.name for path in home.iterdir()} == {".gitignore", "clones", "salt"}


def commit(clone: Path, subject: str) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    (clone / f"{subject}.py").write_text(f"# {subject}\n")
    for command in (["add", "-A"], ["commit", "-q", "-m", subject]):
        subprocess.run(["git", *identity, *command], cwd=clone, check=True)


def folded(capsys: pytest.CaptureFixture[str], clone: Path) -> tuple[list[Any], str]:
    """What was answered, and what was said about the work."""
    assert main(["score", "--git", str(clone), "--json"]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


@pytest.fixture
def copied(clone: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clone, tmp_path / "copied"))


def test_a_second_run_reads_no_commit_and_answers_the_same(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, work = folded(capsys, copied)
    assert "merges" in work
    second, work = folded(capsys, copied)
    assert work == ""
    assert second == first


def test_a_later_commit_is_read_alone_and_answers_as_a_whole_new_read(
    copied: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folded(capsys, copied)
    commit(copied, "Add a page (#9001)")
    later, work = folded(capsys, copied)
    assert "1/1 events" in work
    assert later[0]["number"] == 9001
    shutil.rmtree(home / "clones")
    assert folded(capsys, copied)[0] == later


def test_a_rewritten_branch_is_read_anew(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(copied, "Add a page (#9001)")
    folded(capsys, copied)
    subprocess.run(["git", "reset", "-q", "--hard", "HEAD~1"], cwd=copied, check=True)
    commit(copied, "Add another page (#9002)")
    numbers = [one["number"] for one in folded(capsys, copied)[0]]
    assert 9002 in numbers
    assert 9001 not in numbers


def test_a_home_that_cannot_be_written_is_done_without(
    clone: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write_text("a file")
    assert len(folded(capsys, clone)[0]) == 20


def test_doctor_says_what_is_kept_and_how_to_delete_it(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folded(capsys, clone)
    main(["doctor", "--json"])
    checks = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert checks["folded clones"]["found"].startswith("1 kept, ")
    assert "may be deleted" in checks["folded clones"]["found"]


def test_it_says_which_model_it_was(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--git", str(clone), "--recent", "1", "--quiet"]) == 0
    assert "the general model" in capsys.readouterr().out


def test_an_open_pull_request_of_a_file_is_scored_with_the_clone_s_history(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "open.jsonl"
    file.write_text(json.dumps(opened(PULLS + 1)), encoding="utf-8")
    name = "kedro-org/kedro"
    (scored,) = answers(capsys, "--git", str(clone), "--repository", name, "--file", str(file))
    assert (scored["state"], scored["basis"]) == ("open", "history")


def test_an_open_pull_request_has_the_lines_that_the_clone_tells(copied: Path) -> None:
    commit(copied, "written")
    subprocess.run(["git", "checkout", "-q", "-b", "topic"], cwd=copied, check=True)
    (copied / "written.py").write_text("value = 1\n")
    commit(copied, "topic")
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=copied, text=True).strip()
    subprocess.run(["git", "checkout", "-q", "main"], cwd=copied, check=True)
    rest = {**opened(PULLS + 1), "head": {"ref": "topic", "sha": head}, "base": {"ref": "main"}}
    del rest["files"]
    pull = parse_rest(json.dumps(rest), repository="o/r")

    with FoldedClone(Session(load()), Clone(path=copied, repository="o/r", ref="main")) as folded:
        (completed,) = folded.complete([pull])
        (merged,) = folded.recent(1)
    assert completed.lines is not None
    assert (completed.lines.code_added, completed.lines.rewrites) == (1, ())
    assert {file.path for file in completed.files or ()} == {"topic.py", "written.py"}
    assert merged.lines is not None


def test_a_clone_without_pull_requests_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = make_clone(tmp_path / "plain", [])
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    command = ["git", *identity, "commit", "-q", "--allow-empty", "-m", "work"]
    subprocess.run(command, cwd=clone, check=True)
    assert main(["score", "--git", str(clone), "--quiet"]) == 8
    assert "names a pull request" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--git", str(tmp_path / "nowhere")]) == 4
    assert "not a folder" in capsys.readouterr().err


def test_references_and_a_clone_together_are_a_wrong_command_line(clone: Path) -> None:
    assert main(["score", "o/r#1", "--git", str(clone)]) == 2


def test_an_author_whom_nothing_ties_to_the_history_is_unknown_and_it_is_said_once(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "open.jsonl"
    pulls = [opened(PULLS + place, user={"login": "mara"}) for place in (1, 2)]
    file.write_text("\n".join(map(json.dumps, pulls)), encoding="utf-8")
    arguments = ("--git", str(clone), "--repository", "kedro-org/kedro", "--file", str(file))
    scored = answers(capsys, *arguments)
    assert [one["author_known"] for one in scored] == [False, False]
    assert "first pull here" not in json.dumps(scored)
    assert main(["score", *arguments]) == 0
    assert capsys.readouterr().err.count("nothing ties the author") == 1


def test_explain_tells_the_brief_of_one_merge_in_each_form(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", "--git", str(clone), "--quiet"]
    assert main([*command, "--json"]) == 0
    (latest,) = json.loads(capsys.readouterr().out)
    assert latest["verdict"]
    for number in (str(latest["number"]), f"#{latest['number']}"):
        assert main([*command, number, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == [latest]
    assert main([*command, number]) == 0
    text = capsys.readouterr().out
    assert latest["verdict"].split(":")[0] in text
    assert "the general model" in text
    assert main([*command, number, "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("### local/my-kedro")


def test_explain_of_a_number_that_was_never_merged_says_what_to_do(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--git", str(clone), "999999", "--quiet"]) == 4
    assert "--file" in capsys.readouterr().err
    assert main(["explain", "--quiet"]) == 2


def test_top_lists_the_riskiest_of_the_latest_merges_first(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["top", "--git", str(clone), "--merged", "40", "--show", "5", "--quiet"]
    assert main([*command, "--json"]) == 0
    risks = [one["risk"] for one in json.loads(capsys.readouterr().out)]
    assert risks == sorted(risks, reverse=True)
    scored = answers(capsys, "--git", str(clone), "-n", "40")
    every = sorted(float(str(one["risk"])) for one in scored)
    assert risks == pytest.approx(every[:-6:-1])
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert max(map(len, lines)) <= 100
