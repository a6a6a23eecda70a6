"""`vault/install.sh`, run as a program on a real OpenBao: what it writes, and how it fails."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from pullrisk.secrets.names import STAGES
from support.bao import Bao
from support.ports import free_port
from support.vault import VAULT, install, marked, run_install

IN_KUBERNETES = sorted(stage for stage in STAGES if not stage.startswith("ci-"))
FOR_GITHUB = ("--github-repository", "acme/pullrisk", "--github-repository-id", "42")


@pytest.fixture(scope="module")
def _emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with Bao(tmp_path_factory.mktemp("empty")) as server:
        yield server


@pytest.fixture
def empty(_emptied: Bao) -> Bao:
    """A server that nobody has set up: as it comes up, whatever an earlier test did to it."""
    client = _emptied.client
    client.sys.disable_secrets_engine("secret")
    client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    for method in auth_methods(_emptied) - {"token/"}:
        client.sys.disable_auth_method(method)
    for policy in client.sys.list_policies()["data"]["policies"]:
        if policy not in ("default", "root"):
            client.sys.delete_policy(policy)
    return _emptied


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def installed(bao: Bao) -> dict[str, Any]:
    """Everything in Vault that the script writes."""
    client = bao.client
    methods = [method for method in ("kubernetes", "jwt") if f"{method}/" in auth_methods(bao)]
    policies = client.sys.list_policies()["data"]["policies"]
    return {
        "engine": client.sys.list_mounted_secrets_engines()["data"].get("secret/"),
        "policies": {name: client.sys.read_policy(name)["data"]["rules"] for name in policies},
        "methods": {method: client.read(f"auth/{method}/config") for method in methods},
        "roles": {
            f"{method}/{name}": client.read(f"auth/{method}/role/{name}")["data"]
            for method in methods
            for name in (client.list(f"auth/{method}/role") or {"data": {"keys": []}})["data"][
                "keys"
            ]
        },
    }


def auth_methods(bao: Bao) -> set[str]:
    return set(bao.client.sys.list_auth_methods()["data"])


def without_request(found: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two answers that say the same."""
    methods = {name: answer["data"] for name, answer in found["methods"].items()}
    return found | {"methods": methods}


def test_it_says_what_it_writes_and_a_second_run_leaves_the_same(
    empty: Bao, vault_folder: Path
) -> None:
    empty.client.sys.disable_secrets_engine("secret")
    first = run_install(empty, vault_folder, *FOR_GITHUB)
    assert first.returncode == 0, first.stderr
    for name in ("secret/", "auth/kubernetes", "auth/jwt"):
        assert f"write {name}\n" in first.stdout
    for path in [*VAULT.glob("policies/*"), *VAULT.glob("auth/*"), *VAULT.glob("roles/*/*")]:
        assert f"write {path.relative_to(VAULT)}\n" in first.stdout
    before = without_request(installed(empty))
    assert set(before["policies"]) == {*STAGES, "app-setup", "default", "root"}
    for stage in STAGES:
        assert before["policies"][stage] == (VAULT / "policies" / f"{stage}.hcl").read_text()
    assert set(before["roles"]) == {f"kubernetes/{stage}" for stage in IN_KUBERNETES} | {
        f"jwt/{stage}" for stage in STAGES if stage.startswith("ci-")
    }
    monitor = before["roles"]["kubernetes/monitor"]
    assert monitor["bound_service_account_namespaces"] == ["pullrisk"]
    assert (monitor["audience"], monitor["token_ttl"]) == ("vault", 900)
    promote = before["roles"]["jwt/ci-promote"]["bound_claims"]
    assert (promote["repository"], promote["repository_id"]) == ("acme/pullrisk", "42")
    assert promote["job_workflow_ref"] == [
        f"acme/pullrisk/.github/workflows/{name}.yml@refs/heads/main"
        for name in ("promote", "rollback")
    ]
    second = run_install(empty, vault_folder, *FOR_GITHUB)
    assert second.returncode == 0, second.stderr
    assert "write auth/kubernetes\n" not in second.stdout, "it is enabled already"
    assert without_request(installed(empty)) == before
    assert empty.root not in first.stdout + first.stderr + second.stdout


def test_what_was_changed_by_hand_is_changed_back_and_secrets_stay(
    empty: Bao, vault_folder: Path
) -> None:
    install(empty, vault_folder)
    before = without_request(installed(empty))
    empty.client.sys.create_or_update_policy("monitor", 'path "*" { capabilities = ["read"] }')
    wider = {"bound_service_account_names": "*", "bound_service_account_namespaces": "*"}
    empty.client.write_data(
        "auth/kubernetes/role/monitor", data=wider | {"token_policies": ["monitor"]}
    )
    assert run_install(empty, vault_folder).returncode == 0
    assert without_request(installed(empty)) == before
    kept = empty.client.secrets.kv.v2.read_secret("mlops/ci-read", raise_on_deleted_version=True)
    assert kept["data"]["data"]["registry_token"] == marked("ci-read", "registry_token")


def test_github_can_log_in_only_if_that_was_asked_for(empty: Bao, vault_folder: Path) -> None:
    done = run_install(empty, vault_folder, "--namespace", "risk")
    assert done.returncode == 0, done.stderr
    assert "GitHub Actions cannot log in" in done.stdout
    assert auth_methods(empty) == {"token/", "kubernetes/"}
    roles = installed(empty)["roles"]
    spaces = {name: role["bound_service_account_namespaces"] for name, role in roles.items()}
    assert spaces.pop("kubernetes/spark-preprocess") == ["risk-spark"]
    assert set(map(tuple, spaces.values())) == {("risk",)}


def test_a_dry_run_says_everything_and_changes_nothing(empty: Bao, vault_folder: Path) -> None:
    before = installed(empty)
    done = run_install(empty, vault_folder, *FOR_GITHUB, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would write roles/jwt/ci-read.json" in done.stdout
    assert all(line.startswith("would write ") for line in done.stdout.splitlines())
    assert installed(empty) == before


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("kv", {"version": "1"}, "secret/ is no KV engine of version 2"),
        ("transit", None, "secret/ is no KV engine of version 2"),
    ],
)
def test_an_engine_of_another_kind_is_left_alone(
    empty: Bao, vault_folder: Path, kind: str, options: dict[str, str] | None, message: str
) -> None:
    empty.client.sys.disable_secrets_engine("secret")
    empty.client.sys.enable_secrets_engine(kind, path="secret", options=options)
    before = installed(empty)
    done = run_install(empty, vault_folder)
    assert done.returncode == 10
    assert message in done.stderr
    assert installed(empty) == before


def test_an_auth_method_of_another_type_is_left_alone(empty: Bao, vault_folder: Path) -> None:
    empty.client.sys.enable_auth_method("userpass", path="jwt")
    done = run_install(empty, vault_folder, *FOR_GITHUB)
    assert done.returncode == 10
    assert "auth/jwt in Vault is of type userpass" in done.stderr
    assert auth_methods(empty) == {"token/", "jwt/"}


@pytest.mark.parametrize("answers", [False, True])
def test_where_github_does_not_answer_all_else_is_installed_and_it_is_named(
    empty: Bao, vault_folder: Path, tmp_path: Path, silent: str, answers: bool
) -> None:
    folder = copytree(vault_folder, tmp_path / "vault")
    url = f"https://127.0.0.1:{free_port()}" if answers else f"https://{silent}"
    (folder / "auth" / "jwt.json").write_text(json.dumps({"oidc_discovery_url": url}))
    done = run_install(empty, folder, *FOR_GITHUB, VAULT_CLIENT_TIMEOUT="5s")
    assert done.returncode == 10
    assert "GitHub" in done.stderr
    assert ("did not get" if answers else "no answer in 5s") in done.stderr
    roles = installed(empty)["roles"]
    assert set(roles) == {f"kubernetes/{stage}" for stage in IN_KUBERNETES}


def test_a_vault_that_does_not_answer_ends_it_in_time(
    empty: Bao, vault_folder: Path, silent: str
) -> None:
    address = f"http://{silent}"
    done = run_install(empty, vault_folder, VAULT_ADDR=address, VAULT_CLIENT_TIMEOUT="1s")
    assert done.returncode == 10
    assert f"Vault at {address} did not answer in 1s" in done.stderr


def test_a_vault_that_is_away_is_named(empty: Bao, vault_folder: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = run_install(empty, vault_folder, VAULT_ADDR=address)
    assert done.returncode == 10
    assert f"Vault at {address}" in done.stderr
    assert "connection refused" in done.stderr


def test_a_token_that_may_not_do_that_is_refused_unseen(empty: Bao, vault_folder: Path) -> None:
    done = run_install(empty, vault_folder, VAULT_TOKEN="wrong-token-of-nobody")
    assert done.returncode == 10
    assert "refused 'secrets list'" in done.stderr
    assert "wrong-token" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
        ({"PATH": "/usr/bin:/bin"}, "neither bao nor vault is installed"),
    ],
)
def test_what_is_missing_is_named(
    bao: Bao, vault_folder: Path, environment: dict[str, str], message: str
) -> None:
    done = run_install(bao, vault_folder, **environment)
    assert done.returncode == 3
    assert message in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--force",),
        ("--github-repository",),
        ("--github-repository", "acme/pullrisk"),
        ("--github-repository", "acme/pullrisk", "--github-repository-id", "4 2"),
        ("--github-repository", 'a/b", "x": "'),
        ("--namespace", "a&b"),
        ("--kubernetes-host", "kubernetes"),
    ],
)
def test_a_wrong_option_is_named(bao: Bao, vault_folder: Path, options: tuple[str, ...]) -> None:
    done = run_install(bao, vault_folder, *options)
    assert done.returncode == 2
    assert options[0] in done.stderr


def test_each_stage_has_one_policy_for_its_own_path_and_one_short_role() -> None:
    assert {path.stem for path in VAULT.glob("policies/*.hcl")} == {*STAGES, "app-setup"}
    for stage in STAGES:
        text = (VAULT / "policies" / f"{stage}.hcl").read_text()
        assert re.findall(r'path "(.*)"', text) == [f"secret/data/mlops/{stage}"]
        assert text.count('capabilities = ["read"]') == 1
    roles = {path.stem: json.loads(path.read_text()) for path in VAULT.glob("roles/*/*.json")}
    assert set(roles) == set(STAGES)
    for stage, role in roles.items():
        assert role["token_policies"] == [stage]
        assert role["token_ttl"] in ("10m", "15m")
        if not stage.startswith("ci-"):
            assert role["bound_service_account_names"] == [stage]
            own = "${namespace}-spark" if stage == "spark-preprocess" else "${namespace}"
            assert role["bound_service_account_namespaces"] == [own]
            assert role["audience"] == "vault"


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run(
        [shellcheck, "--enable=all", "--exclude=SC2250,SC2312", VAULT / "install.sh"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
