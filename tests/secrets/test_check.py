"""`pullrisk secrets check` for every stage: its own path, and no other's."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pullrisk.secrets.check import check
from pullrisk.secrets.names import STAGES
from support.bao import Bao
from support.ports import free_port
from support.processes import PULLRISK
from support.vault import MARK, put, role

STAGES_IN_KUBERNETES = [stage for stage in STAGES if not stage.startswith("ci-")]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [*PULLRISK, *arguments],
        capture_output=True,
        text=True,
        env=kept | environment,
        check=False,
    )


@pytest.mark.parametrize("stage", STAGES_IN_KUBERNETES)
def test_each_stage_reads_all_its_names_and_no_other_stages_path(
    stage: str, environment: Callable[..., dict[str, str]]
) -> None:
    found = check(stage, environment=environment(stage))
    assert {one.name: one.state for one in found.readings} == dict.fromkeys(
        STAGES[stage].names, "readable"
    )
    assert {one.path for one in found.reach} == {f"secret/data/mlops/{name}" for name in STAGES}
    assert [one.path for one in found.reach if one.readable] == [f"secret/data/mlops/{stage}"]
    assert (found.missing, found.too_wide) == ((), ())
    assert found.token_seconds is not None
    assert 0 < found.token_seconds <= 900
    assert MARK not in repr(found)


def test_check_shows_what_a_stage_reads_and_what_it_is_refused(
    environment: Callable[..., dict[str, str]],
) -> None:
    done = run("secrets", "check", "--stage", "model-serving", **environment("model-serving"))
    assert done.returncode == 0, done.stderr
    assert "readable  api_keys" in done.stdout
    assert "refused, as it should be: " in done.stdout
    assert "secret/data/mlops/data-fetch" in done.stdout
    assert MARK not in done.stdout + done.stderr


def test_check_as_json_names_each_secret_and_no_value(
    environment: Callable[..., dict[str, str]],
) -> None:
    variables = environment("data-fetch")
    done = run("secrets", "check", "--stage", "data-fetch", "--json", **variables)
    found = json.loads(done.stdout)
    assert {one["name"]: one["state"] for one in found["readings"]} == dict.fromkeys(
        STAGES["data-fetch"].names, "readable"
    )
    assert [one["path"] for one in found["reach"] if one["readable"]] == [
        "secret/data/mlops/data-fetch"
    ]
    assert 0 < found["token_seconds"] <= 900
    assert MARK not in done.stdout


def test_check_fails_for_a_missing_secret_and_for_too_wide_a_policy(
    bao: Bao, environment: Callable[..., dict[str, str]]
) -> None:
    put(bao, "tests/check", {"mongo_uri": "x"})
    role(bao, "check", account="data-fetch", path="secret/*")
    variables = environment("data-fetch", VAULT_ROLE="check", VAULT_SECRET_PATH="tests/check")
    missing = run("secrets", "check", "--stage", "data-fetch", **variables)
    assert missing.returncode == 10
    assert "missing   github_token" in missing.stdout
    assert "data-fetch lacks github_token" in missing.stderr
    put(bao, "tests/check", {"mongo_uri": "x", "github_token": "y"})
    wide = run("secrets", "check", "--stage", "data-fetch", **variables)
    assert wide.returncode == 10
    assert "can read what is not its own: secret/data/mlops/" in wide.stderr


def test_a_stage_that_finds_no_vault_ends_with_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x.y.z")
    variables = {
        "VAULT_ADDR": f"http://127.0.0.1:{free_port()}",
        "VAULT_JWT_FILE": str(tmp_path / "token"),
        "VAULT_START_SECONDS": "0.3",
        "PULLRISK_HOME": str(tmp_path / "home"),
    }
    done = run("preprocess", **variables)
    assert done.returncode == 10
    assert "cannot be reached; gave up after 0.3 s" in done.stderr
    assert not (tmp_path / "home").exists()


def test_check_without_vault_looks_at_the_settings() -> None:
    found = run(
        "secrets",
        "check",
        "--stage",
        "data-fetch",
        GITHUB_TOKEN=f"t-{MARK}",
        PULLRISK_STORE=f"mongodb://u:{MARK}@h/pulls",
    )
    assert found.returncode == 0, found.stderr
    assert "data-fetch, from settings and environment" in found.stdout
    assert MARK not in found.stdout + found.stderr
