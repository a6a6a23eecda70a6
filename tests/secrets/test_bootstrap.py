"""`pullrisk vault bootstrap` and `pullrisk secrets check`, run as programs on a real OpenBao."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pullrisk.errors import InputError, SecretsError, SettingsError
from pullrisk.secrets.bootstrap import Step, bootstrap
from pullrisk.secrets.folder import read_folder
from pullrisk.secrets.names import STAGES
from support.bao import Bao
from support.ports import free_port
from support.vault import MARK, install, marked, operator, put, role

VAULT = Path(__file__).parents[2] / "vault"
OPTIONS = {"namespace": "pullrisk", "repository": "acme/pullrisk"}
PULLRISK = [sys.executable, "-c", "import sys; from pullrisk.cli import main; sys.exit(main())"]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Bao]:
    server = Bao(tmp_path / "empty").start()
    yield server
    server.stop()


def run(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [*PULLRISK, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=kept | environment,
        check=False,
        timeout=60,
    )


@pytest.fixture
def token_file(empty: Bao, tmp_path: Path) -> str:
    (tmp_path / "operator").write_text(empty.root + "\n")
    return str(tmp_path / "operator")


def actions(steps: list[Step]) -> set[str]:
    return {step.action for step in steps}


def test_a_dry_run_says_everything_and_changes_nothing(empty: Bao, vault_folder: Path) -> None:
    before = empty.client.sys.list_policies()["data"]["policies"]
    wanted = read_folder(vault_folder, OPTIONS)
    loaded = {"monitor": {"mlflow_uri": SecretStr("http://mlflow")}}
    steps = bootstrap(operator(empty), wanted, loaded, dry_run=True)
    created = {(step.kind, step.name) for step in steps if step.action == "create"}
    assert {("policy", stage) for stage in STAGES} <= created
    assert {("role", "kubernetes/data-fetch"), ("role", "jwt/ci")} <= created
    assert {("engine", "database"), ("auth", "kubernetes"), ("secret", "mlops/monitor")} <= created
    assert ("engine", "secret") not in created, "a dev server has it"
    assert empty.client.sys.list_policies()["data"]["policies"] == before
    assert set(empty.client.sys.list_auth_methods()["data"]) == {"token/"}


def test_a_second_run_finds_everything_unchanged(empty: Bao, vault_folder: Path) -> None:
    empty.client.sys.disable_secrets_engine("secret")
    wanted = read_folder(vault_folder, OPTIONS)
    loaded = {"monitor": {"mlflow_uri": SecretStr("http://mlflow")}}
    assert actions(bootstrap(operator(empty), wanted, loaded)) == {"create"}
    assert actions(bootstrap(operator(empty), wanted, loaded)) == {"unchanged"}
    assert actions(bootstrap(operator(empty), wanted, loaded, dry_run=True)) == {"unchanged"}


def test_what_was_changed_by_hand_is_changed_back_and_nothing_else(
    empty: Bao, vault_folder: Path
) -> None:
    install(empty, vault_folder)
    empty.client.sys.create_or_update_policy("monitor", 'path "*" { capabilities = ["read"] }')
    wider = {"bound_service_account_names": "*", "bound_service_account_namespaces": "*"}
    empty.client.write_data(
        "auth/kubernetes/role/monitor", data=wider | {"token_policies": ["monitor"]}
    )
    steps = bootstrap(operator(empty), read_folder(vault_folder, OPTIONS), {})
    changed = [(step.kind, step.name) for step in steps if step.action == "update"]
    assert changed == [("policy", "monitor"), ("role", "kubernetes/monitor")]
    found = empty.client.read("auth/kubernetes/role/monitor")["data"]
    assert found["bound_service_account_names"] == ["monitor"]
    assert found["audience"] == "vault"


def test_new_secrets_join_those_that_are_there(empty: Bao, vault_folder: Path) -> None:
    install(empty, vault_folder)
    wanted = read_folder(vault_folder, OPTIONS)
    bootstrap(operator(empty), wanted, {"ci": {"registry_token": SecretStr("rotated")}})
    found, version = operator(empty).secret("mlops/ci")
    assert found["registry_token"] == "rotated"
    assert found["mlflow_uri"] == marked("ci", "mlflow_uri")
    assert version == 2


def test_an_engine_of_another_kind_is_left_alone(empty: Bao, vault_folder: Path) -> None:
    empty.client.sys.disable_secrets_engine("secret")
    empty.client.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
    with pytest.raises(SecretsError, match=r"secret/ in Vault is of type kv .*'version': '1'"):
        bootstrap(operator(empty), read_folder(vault_folder, OPTIONS), {})
    assert set(empty.client.sys.list_auth_methods()["data"]) == {"token/"}


def test_without_a_repository_the_role_of_ci_is_left_out() -> None:
    found = read_folder(VAULT, {"namespace": "pullrisk", "kubernetes_host": "https://k"})
    assert found.skipped == ("jwt/ci",)
    assert set(found.roles) == {f"kubernetes/{stage}" for stage in STAGES if stage != "ci"}


def test_each_stage_has_one_policy_for_its_own_path_and_one_short_role() -> None:
    found = read_folder(VAULT, OPTIONS | {"kubernetes_host": "https://k"})
    assert set(found.policies) == set(STAGES)
    for stage, text in found.policies.items():
        paths = {f"secret/data/mlops/{stage}", f"database/creds/{stage}"}
        assert {line.split('"')[1] for line in text.splitlines() if "path" in line[:4]} <= paths
        assert text.count('capabilities = ["read"]') == text.count('path "')
    for name, wanted in found.roles.items():
        stage = name.partition("/")[2]
        assert wanted["token_policies"] == [stage]
        assert wanted["token_ttl"] in ("10m", "15m")
        if stage != "ci":
            assert wanted["bound_service_account_names"] == [stage]
            assert wanted["bound_service_account_namespaces"] == ["pullrisk"]
            assert wanted["audience"] == "vault"


@pytest.mark.parametrize(
    ("break_it", "error", "message"),
    [
        (lambda f: (f / "engines.json").unlink(), InputError, "holds no engines.json"),
        (lambda f: (f / "auth/jwt.json").write_text("{"), InputError, r"jwt\.json is no JSON"),
        (lambda f: (f / "engines.json").write_text("[]"), InputError, "is no JSON object"),
        (lambda f: (f / "engines.json").write_text('"${what}"'), SettingsError, "needs what"),
    ],
)
def test_a_broken_file_of_the_folder_is_named(
    tmp_path: Path, break_it: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    import shutil

    shutil.copytree(VAULT, tmp_path / "vault")
    break_it(tmp_path / "vault")
    with pytest.raises(error, match=message):
        read_folder(tmp_path / "vault", OPTIONS | {"kubernetes_host": "https://k"})


def test_secrets_come_from_standard_input_and_are_never_printed(
    empty: Bao, vault_folder: Path, token_file: str
) -> None:
    command = ("vault", "bootstrap", "--folder", str(vault_folder), "--stdin")
    given = json.dumps({"data-fetch": {"mongo_uri": f"mongodb://u:{MARK}@h/"}})
    done = run(*command, "--token-file", token_file, given=given, VAULT_ADDR=empty.address)
    assert done.returncode == 0, done.stderr
    assert "create     secret" in done.stdout
    assert "mongo_uri" in done.stdout
    assert MARK not in done.stdout + done.stderr
    assert empty.root not in done.stdout + done.stderr
    found, _ = operator(empty).secret("mlops/data-fetch")
    assert found == {"mongo_uri": f"mongodb://u:{MARK}@h/"}
    again = run(*command, "--token-file", token_file, given=given, VAULT_ADDR=empty.address)
    assert again.stdout.splitlines()[-1].startswith("0 changed")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (f'{{"data-fetch": {{"mongo": "{MARK}"}}}}', "data-fetch has no secret named 'mongo'"),
        (f'{{"fetch": {{"mongo_uri": "{MARK}"}}}}', "unknown stage: fetch"),
        (f'{{"data-fetch": {{"mongo_uri": ["{MARK}"]}}}}', "standard input holds no secrets"),
        (f"mongo_uri={MARK}", "standard input holds no secrets"),
    ],
)
def test_a_wrong_input_is_explained_without_its_values(
    given: str, message: str, token_file: str, empty: Bao
) -> None:
    arguments = ("--folder", str(VAULT), "--stdin", "--token-file", token_file)
    done = run("vault", "bootstrap", *arguments, given=given, VAULT_ADDR=empty.address)
    assert done.returncode in (3, 4)
    assert message in done.stderr
    assert MARK not in done.stdout + done.stderr


def test_without_an_address_or_a_token_bootstrap_says_which(empty: Bao, tmp_path: Path) -> None:
    folder = ("--folder", str(VAULT), "--token-file", str(tmp_path / "absent"))
    assert "VAULT_ADDR is not set" in run("vault", "bootstrap", *folder).stderr
    done = run("vault", "bootstrap", *folder, VAULT_ADDR=empty.address)
    assert done.returncode == 3
    assert "no operator's token" in done.stderr


def test_a_token_that_may_not_do_that_is_refused_unseen(empty: Bao, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("hvs.wrong-token-of-nobody")
    arguments = ("--folder", str(VAULT), "--token-file", str(tmp_path / "wrong"))
    done = run("vault", "bootstrap", *arguments, VAULT_ADDR=empty.address)
    assert done.returncode == 10
    assert "permission denied" in done.stderr
    assert "wrong-token" not in done.stderr


def test_prompts_take_token_and_secrets_unseen(
    empty: Bao, vault_folder: Path, tmp_path: Path
) -> None:
    command = ["vault", "bootstrap", "--folder", str(vault_folder), "--prompt"]
    command += ["--token-file", str(tmp_path / "absent")]
    answers = {"Vault token": empty.root, "monitor mlflow_uri": f"http://{MARK}"}
    shown = at_a_terminal([*PULLRISK, *command], answers, VAULT_ADDR=empty.address)
    assert "create" in shown
    assert MARK not in shown
    assert empty.root not in shown
    assert operator(empty).secret("mlops/monitor")[0] == {"mlflow_uri": f"http://{MARK}"}
    assert operator(empty).secret("mlops/ci")[0] == {}


def at_a_terminal(command: list[str], answers: dict[str, str], **environment: str) -> str:
    """Run at a pseudo-terminal, answer each prompt that begins so, else with an empty line."""
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    kept = {"PATH": os.environ["PATH"], "TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-c", spawn, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=kept | environment,
        bufsize=0,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        shown = answered = ""
        while select.select([process.stdout], [], [], 30)[0]:
            data = process.stdout.read(4096)
            if not data:
                break
            shown += data.decode()
            line = shown[len(answered) :].splitlines()[-1] if shown != answered else ""
            if line.endswith(": "):
                answered = shown
                answer = next((a for q, a in answers.items() if line.startswith(q)), "")
                process.stdin.write(f"{answer}\n".encode())
        process.stdin.close()
    assert process.returncode == 0, shown
    return shown


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
