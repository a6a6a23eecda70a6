"""`pullrisk fetch owner/name` against a fake GitHub on a real socket."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_github.schema import NotInstalledError, github_schema
from pullrisk.cli import main
from support.github_server import GitHubServer

KEDRO = "kedro-org/kedro"


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    try:
        github_schema()
    except NotInstalledError as error:
        pytest.skip(str(error))
    with GitHubServer(f"--repository={KEDRO}", "--pulls=80", "--points=100000") as started:
        yield started


@pytest.fixture(autouse=True)
def _surroundings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home of its own, the fake as GitHub, no gh program, one good token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("GH_TOKEN", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "fake-token")
    if "server" in request.fixturenames:
        url = request.getfixturevalue("server").url
        monkeypatch.setenv("PULLRISK_GITHUB_URL", url)
        monkeypatch.setenv("GITHUB_API_URL", url)  # the server that the token is for


def test_a_repository_is_fetched_and_then_only_what_is_new(
    server: GitHubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", KEDRO, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "1 repositories up to date, 80 pull requests read, 80 new" in said
    assert "points left this hour" in said
    assert main(["fetch", KEDRO, "--quiet"]) == 0
    assert "0 pull requests read" in capsys.readouterr().out


def test_json_tells_requests_and_points_of_each_repository(
    server: GitHubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "--search", "stars:>10", "--limit", "1", "--json", "-q"]) == 0
    (repository,) = json.loads(capsys.readouterr().out)["repositories"]
    assert repository["repository"] == KEDRO
    assert repository["read"] == 80
    assert repository["requests"] >= 5
    assert repository["error"] is None


def test_a_repository_that_fails_makes_exit_code_4_after_the_others(
    server: GitHubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "no/such", KEDRO, "nor/this", "-q"]) == 4
    shown = capsys.readouterr()
    assert "80 new" in shown.out
    assert "2 repositories could not be fetched" in shown.err
    assert "no/such: GitHub knows no such repository" in shown.err


def test_without_a_token_it_says_how_to_get_one_and_that_git_needs_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert main(["fetch", "rails/rails"]) == 3
    shown = capsys.readouterr().err
    assert "needs a token" in shown
    assert "https://github.com/settings/tokens" in shown
    assert "pullrisk fetch --git PATH" in shown


def test_a_wrong_token_never_shows(
    server: GitHubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_GITHUB_TOKEN", "ghp_hunter2")
    assert main(["fetch", KEDRO]) == 3
    shown = capsys.readouterr()
    assert "token 1: HTTP 401: Bad credentials" in shown.err
    assert "hunter2" not in shown.out + shown.err


def test_a_file_without_its_option_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pulls.jsonl").write_text("{}")
    assert main(["fetch", "pulls.jsonl"]) == 4
    assert "run: pullrisk fetch --file pulls.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["o/r", "--git", "."], ["--org", "o", "--file", "a"], ["--limit", "0", "--org", "o"]],
)
def test_sources_do_not_mix(arguments: list[str]) -> None:
    assert main(["fetch", *arguments]) == 2


def test_progress_shows_the_repository_and_the_budget(
    server: GitHubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", KEDRO]) == 0
    shown = capsys.readouterr().err
    assert f"{KEDRO} · " in shown
    assert "points left: 80/80 pulls" in shown


def test_with_half_of_the_extra_it_names_the_one_to_install() -> None:
    program = (
        "import sys; sys.modules['stamina'] = None; from pullrisk.cli import main; "
        "sys.exit(main(['fetch', 'o/r']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 9
    assert "stamina is not installed" in ended.stderr
    assert "pip install 'pullrisk[github]'" in ended.stderr


def test_files_and_clones_need_no_extra(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    program = (
        "import sys; sys.modules.update(httpx=None, stamina=None, jwt=None); "
        "from pullrisk.cli import main; sys.exit(main(['fetch', '--file', 'none.jsonl', '-q']))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_lines_come_from_a_clone_where_git_is_installed_unless_it_is_off(
    server: GitHubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("PULLRISK_FETCH__CLONE", "off")
    assert main(["fetch", KEDRO, "--quiet"]) == 0
    assert "lines" not in capsys.readouterr().err
    monkeypatch.delenv("PULLRISK_FETCH__CLONE")
    assert main(["fetch", KEDRO, "--quiet"]) == 0  # this server has no clones
    assert f"{KEDRO}: which lines its pulls change is unknown: git says" in capsys.readouterr().err


@pytest.mark.parametrize("trouble", ["a file in the way", "a damaged salt"])
def test_where_no_clone_can_be_kept_the_records_are_fetched_all_the_same(
    server: GitHubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: str,
) -> None:
    volume = tmp_path / "volume"
    if trouble == "a file in the way":
        volume.touch()
    else:
        volume.mkdir()
        (volume / "salt").write_bytes(b"short")
    monkeypatch.setenv("PULLRISK_FETCH__CLONE", str(volume))
    assert main(["fetch", KEDRO, "--quiet"]) == 0
    told = capsys.readouterr()
    assert "80 new" in told.out
    assert f"{KEDRO}: which lines its pulls change is unknown: salt {volume}/salt" in told.err
