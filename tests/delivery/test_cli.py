"""The command line: what it shows where something is not there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.cli import main
from delivery.options import COMMANDS
from delivery.promotion import DECIDE
from support.delivery import OWNER, World
from support.project import project
from support.repositories import git

ROOT = Path(__file__).parents[2]
kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with main alone, and no remote."""
    folder = tmp_path / "clone"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    for name, text in project().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def test_without_a_branch_staging_the_plan_says_so_and_what_to_do(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--clone", str(clone), "plan", "--repository", OWNER]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no branch staging, so nothing can be promoted",
        "  images are built from staging: git branch staging main",
    ]


def test_outside_of_github_it_has_to_be_said_whose_signatures_count(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "branch", "staging")
    assert main(["--clone", str(clone), "plan"]) == 4
    assert "say --repository OWNER/NAME" in capsys.readouterr().err


@kubectl
def test_with_local_branches_the_plan_works_and_a_registry_away_proves_nothing(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "checkout", "-q", "-b", "staging")
    (clone / "notes.txt").write_text("words")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Write notes")
    away = ["--registry", "http://127.0.0.1:9", "--repository", OWNER]
    assert main(["--clone", str(clone), "plan", *away, "--json", "--strict"]) == 3
    plan = json.loads(capsys.readouterr().out)
    assert not plan["allowed"]
    assert [each["subject"] for each in plan["commits"]] == ["Write notes"]
    assert {each["state"] for each in plan["images"]} == {"unknown"}
    assert "cannot be reached" in plan["reasons"][0]
    assert main(["--clone", str(clone), "plan", *away]) == 0
    assert "unknown" in capsys.readouterr().out


@kubectl
def test_the_plan_tells_later_steps_and_writes_the_pull_requests_text(
    world: World, tmp_path: Path
) -> None:
    world.push({"docs/notes.md": "words"}, "Write notes")
    outputs, body = tmp_path / "outputs", tmp_path / "plan.md"
    assert world.run("plan", "--outputs", str(outputs), "--markdown", str(body)) == 0
    told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert told == {"allowed": "true", "candidate": world.branch("staging"), "commits": "1"}
    assert body.read_text().startswith("May be promoted: 1 commits")
    assert "| data-fetch |" in body.read_text()


def test_changes_tell_the_next_job_whether_to_build(world: World, tmp_path: Path) -> None:
    world.push({"src/pullrisk/errors.py": "A = 1\n"})
    outputs = tmp_path / "outputs"
    base = ["--clone", str(world.clone), "changes", "--outputs", str(outputs)]
    assert main([*base, "--stage", "data-fetch"]) == 0
    assert main([*base, "--stage", "ml-training"]) == 0
    told = [line for line in outputs.read_text().splitlines() if line.startswith("build")]
    assert told == ["build=true", "build=false"]


def test_tests_of_a_stage_are_those_of_the_packages_that_it_runs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"tests/{name}/test_it.py": "" for name in ("fetch", "train", "pulls", "cli")}
    world.push({**files, "tests/test_errors.py": ""})
    assert main(["--clone", str(world.clone), "tests", "--stage", "data-fetch"]) == 0
    shown = capsys.readouterr().out.split()
    assert shown == ["tests/cli", "tests/fetch", "tests/pulls", "tests/test_errors.py"]


def test_the_token_for_pushes_is_in_no_argument(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from delivery.git import Repository

    monkeypatch.setenv("GITHUB_TOKEN", "of-the-job")
    repository = Repository(world.clone)
    header = repository.text("config", "--get", "http.https://github.com/.extraheader")
    assert header.startswith("AUTHORIZATION: basic ")
    assert "of-the-job" not in (world.clone / ".git" / "config").read_text()
    assert repository.text("config", "--get-regexp", "^http") == (
        f"http.https://github.com/.extraheader {header}"
    )


def test_help_lists_every_command_and_the_exit_codes() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "delivery", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(name in shown for name in COMMANDS)
    assert "3 refused" in shown


def test_no_file_of_the_checkout_is_taken_for_a_library(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "delivery", tmp_path / "delivery")
    (tmp_path / "src").mkdir()
    evil = "import sys\nsys.exit('the checkout ran')\n"
    for name in ("yaml", "httpx", "dataclasses", "sitecustomize", "src/httpx", "src/yaml"):
        (tmp_path / f"{name}.py").write_text(evil)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "VAULT_ADDR"}
    }
    for word, said in (("--help", "3 refused"), ("login", "VAULT_ADDR"), ("secrets", "git")):
        done = subprocess.run(
            [sys.executable, "-m", "delivery", word],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert said in done.stdout + done.stderr
        assert "the checkout ran" not in done.stdout + done.stderr


def test_whatever_logs_a_job_in_is_shown_to_who_approves() -> None:
    code = (
        "import sys, delivery.login, delivery.promotion\n"
        "import pullrisk.errors, pullrisk.fetch.github.app_token, pullrisk.secrets.vault\n"
        "own = [each for name, each in sys.modules.items() if name.startswith('pullrisk')]\n"
        "print(*(each.__file__ for each in own), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {str(Path(line).relative_to(ROOT)) for line in done.stdout.split()}
    assert "src/pullrisk/secrets/session.py" in loaded
    assert {path for path in loaded if not path.startswith(DECIDE)} == set()
