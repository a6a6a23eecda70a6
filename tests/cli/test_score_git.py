"""Scores from a clone alone, as a person asks for them."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pullrisk.cli import main
from pullrisk.fetch.git import fetch
from pullrisk.progress import Silent, Task
from pullrisk.pulls.rest import parse_rest
from pullrisk.settings import load
from pullrisk.wiring.scoring import Clone, FoldedClone
from pullrisk.wiring.session import Session
from support.clones import make_clone
from support.repositories import git
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


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "home"


@pytest.fixture
def read_clone(clone: Path, shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The clone, in a home where the tests before have read it already."""
    monkeypatch.setenv("PULLRISK_HOME", str(shared_home))
    return clone


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
    (clone / f"{subject}.py").write_text(f"# {subject}\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", subject)


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


class Interrupted(Silent):
    """Ctrl-C, once `commits` of the merges were read."""

    def __init__(self, commits: int) -> None:
        self.left: float = commits

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        """A task that is cut off."""
        with super().task(description, total=total, unit=unit) as task:
            if "merges" in description:
                task = self
            yield task

    def advance(self, amount: float = 1) -> None:
        self.left -= amount
        if self.left <= 0:
            raise KeyboardInterrupt

    def describe(self, description: str) -> None:
        pass


def test_a_reading_that_is_stopped_goes_on_from_where_it_was(
    copied: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "BATCH_COMMITS", 50)
    clone = Clone(path=copied)
    for commits in (60, 110):
        session = Session(load(), progress=Interrupted(commits))
        with pytest.raises(KeyboardInterrupt):
            FoldedClone(session, clone)
    answers, work = folded(capsys, copied)
    assert "150/150 commits" in work, "50 and 100 of 300 were kept before"
    shutil.rmtree(home / "clones")
    assert folded(capsys, copied)[0] == answers


def test_work_trees_of_a_clone_share_what_was_read(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = folded(capsys, copied)
    git(copied, "worktree", "add", "-q", "--detach", tmp_path / "tree")
    assert main(["score", "--git", str(tmp_path / "tree"), "-r", "local/copied", "--json"]) == 0
    printed = capsys.readouterr()
    assert (json.loads(printed.out), printed.err) == (first, "")


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
    git(copied, "reset", "-q", "--hard", "HEAD~1")
    commit(copied, "Add another page (#9002)")
    numbers = [one["number"] for one in folded(capsys, copied)[0]]
    assert 9002 in numbers
    assert 9001 not in numbers


def test_a_home_that_cannot_be_written_is_done_without(
    clone: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write_text("a file")
    answers, said = folded(capsys, clone)
    assert len(answers) == 20
    assert f"is not kept: {home} cannot be written" in said


def test_doctor_says_what_is_kept_and_how_to_delete_it(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folded(capsys, clone)
    main(["doctor", "--json"])
    checks = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert checks["folded clones"]["found"].startswith("1 kept, ")
    assert "may be deleted" in checks["folded clones"]["found"]


def test_it_says_which_model_it_was(read_clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--git", str(read_clone), "--recent", "1", "--quiet"]) == 0
    assert "the general model" in capsys.readouterr().out


def test_an_open_pull_request_of_a_file_is_scored_with_the_clone_s_history(
    read_clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "open.jsonl"
    file.write_text(json.dumps(opened(PULLS + 1)), encoding="utf-8")
    name = "kedro-org/kedro"
    (scored,) = answers(capsys, "--git", str(read_clone), "--repository", name, "--file", str(file))
    assert (scored["state"], scored["basis"]) == ("open", "history")


def test_a_file_without_pull_requests_is_not_taken_for_none(
    read_clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "open.json").write_text("[]")
    for command in ("score", "explain"):
        arguments = [
            "--git",
            str(read_clone),
            "--file",
            str(tmp_path / "open.json"),
            "-q",
            "--json",
        ]
        assert main([command, *arguments]) == 0
        printed = capsys.readouterr()
        assert json.loads(printed.out) == []
        assert "there is no pull request in" in printed.err


def test_an_open_pull_request_has_the_lines_that_the_clone_tells(copied: Path) -> None:
    commit(copied, "written")
    git(copied, "checkout", "-q", "-b", "topic")
    (copied / "written.py").write_text("value = 1\n")
    commit(copied, "topic")
    head = git(copied, "rev-parse", "HEAD")
    git(copied, "checkout", "-q", "main")
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
    git(clone, "commit", "-q", "--allow-empty", "-m", "work")
    assert main(["score", "--git", str(clone), "--quiet"]) == 8
    assert "names a pull request" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--git", str(tmp_path / "nowhere")]) == 4
    assert "not a folder" in capsys.readouterr().err


def test_references_and_a_clone_together_are_a_wrong_command_line(read_clone: Path) -> None:
    assert main(["score", "o/r#1", "--git", str(read_clone)]) == 2


def test_an_author_whom_nothing_ties_to_the_history_is_unknown_and_it_is_said_once(
    read_clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "open.jsonl"
    pulls = [opened(PULLS + place, user={"login": "mara"}) for place in (1, 2)]
    file.write_text("\n".join(map(json.dumps, pulls)), encoding="utf-8")
    arguments = ("--git", str(read_clone), "--repository", "kedro-org/kedro", "--file", str(file))
    scored = answers(capsys, *arguments)
    assert [one["author_known"] for one in scored] == [False, False]
    assert "first pull here" not in json.dumps(scored)
    assert main(["score", *arguments]) == 0
    assert capsys.readouterr().err.count("nothing ties the author") == 1


def test_explain_tells_the_brief_of_one_merge_in_each_form(
    read_clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", "--git", str(read_clone), "--quiet"]
    assert main([*command, "--json"]) == 0
    (latest,) = json.loads(capsys.readouterr().out)
    assert latest["verdict"]
    for number in (str(latest["number"]), f"#{latest['number']}"):
        assert main([*command, number, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == [latest]
    assert main([*command, number]) == 0
    text = capsys.readouterr().out
    assert latest["verdict"].split(":")[0] in text
    assert text.splitlines()[-1] == "scored with the general model"
    merged = f"told as of its merge on {latest['as_of'][:10]}"
    assert re.search(f"^note: {merged}$", text, re.M)
    assert main([*command, number, "--format", "markdown"]) == 0
    markdown = capsys.readouterr().out
    assert markdown.startswith("### local/my-kedro")
    assert re.search(f"^_{merged}_$", markdown, re.M)


def test_explain_of_a_number_that_was_never_merged_says_what_to_do(
    read_clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--git", str(read_clone), "999999", "--quiet"]) == 4
    assert "--file" in capsys.readouterr().err
    assert main(["explain", "--git", str(read_clone), "9" * 30, "--quiet"]) == 4
    assert main(["explain", "9" * 30, "--quiet"]) == 4
    assert main(["explain", f"o/r#{'9' * 30}", "--quiet"]) == 4
    assert main(["explain", "--quiet"]) == 2


@pytest.mark.parametrize(
    ("reference", "code"),
    [("{}", 0), ("#{}", 0), ("o/r#{}", 0), ("O/R#{}", 0), ("https://github.com/o/r/pull/{}", 0),
     ("https://ghe.example.org/o/r/pull/{}", 0), ("other/r#{}", 4),
     ("https://github.com/other/r/pull/{}", 4), ("HEAD", 4)],
)  # fmt: skip
def test_a_pull_of_the_clone_is_named_by_number_reference_or_address(
    read_clone: Path, capsys: pytest.CaptureFixture[str], reference: str, code: int
) -> None:
    number = answers(capsys, "--git", str(read_clone), "-n", "1")[0]["number"]
    command = ["explain", "--git", str(read_clone), "-r", "o/r", reference.format(number), "-q"]
    assert main(command) == code
    printed = capsys.readouterr()
    assert (f"o/r#{number} " in printed.out) == (code == 0)
    assert ("which the clone is of" in printed.err) == ("other" in reference)


def test_top_lists_the_riskiest_of_the_latest_merges_first(
    read_clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["top", "--git", str(read_clone), "--merged", "40", "--show", "5", "--quiet"]
    assert main([*command, "--json"]) == 0
    risks = [one["risk"] for one in json.loads(capsys.readouterr().out)]
    assert risks == sorted(risks, reverse=True)
    scored = answers(capsys, "--git", str(read_clone), "-n", "40")
    every = sorted(float(str(one["risk"])) for one in scored)
    assert risks == pytest.approx(every[:-6:-1])
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert re.match(r"of the latest 40 merges, 20\d\d-.+ to 20\d\d-.+; scored with", lines[-1])
    assert max(map(len, lines)) <= 100
