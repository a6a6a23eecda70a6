"""The other ways to log in: GitHub's OIDC, and a namespace of Vault."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pullrisk.errors import SecretsError, SettingsError
from pullrisk.secrets.client import DeniedError
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.names import STAGES
from pullrisk.secrets.session import VaultSession
from pullrisk.secrets.vault import VaultSecrets
from support.bao import Bao
from support.kubernetes_api import ServiceAccounts
from support.loopback import Handler, Loopback
from support.vault import JOB, JOBS, VAULT, install, marked

Opened = Callable[..., VaultSecrets]
Environment = Callable[..., dict[str, str]]
CI = {
    "VAULT_AUTH_METHOD": "jwt",
    "VAULT_ROLE": "ci-build",
    "VAULT_SECRET_PATH": "mlops/ci-build",
}


def job_token(github: ServiceAccounts, **claims: str) -> str:
    now = int(time.time())
    return github.signed(
        {"iss": github.issuer, "iat": now, "nbf": now - 5, "exp": now + 300, **JOB, **claims}
    )


@pytest.mark.parametrize("path_of", STAGES)
def test_the_role_of_ci_reads_its_own_path_and_no_stages(
    path_of: str, environment: Environment, github: ServiceAccounts
) -> None:
    more = CI | {"VAULT_SECRET_PATH": f"mlops/{path_of}"}
    config = vault_config(environment("ci-build", token=job_token(github), **more), "ci-build")
    assert config is not None
    with closing(VaultSession(config)) as session:
        session.login()
        if path_of == "ci-build":
            token = session.read()["registry_token"].get_secret_value()
            assert token == marked("ci-build", "registry_token")
        else:
            with pytest.raises(DeniedError, match="permission denied"):
                session.read()


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("repository", "mallory/pullrisk"),
        ("repository_id", "43"),
        ("job_workflow_ref", "acme/pullrisk/.github/workflows/ci.yml@refs/heads/staging"),
        ("job_workflow_ref", "acme/pullrisk/.github/workflows/stage.yml@refs/heads/feature"),
        ("ref", "refs/heads/feature"),
        ("environment", "playground"),
        ("aud", "sigstore"),
    ],
)
def test_a_job_of_another_repository_workflow_branch_environment_or_audience_is_refused(
    claim: str, value: str, environment: Environment, github: ServiceAccounts
) -> None:
    token = job_token(github, **{claim: value})
    config = vault_config(environment("ci-build", token=token, **CI), "ci-build")
    assert config is not None
    with (
        closing(VaultSession(config)) as session,
        pytest.raises(SecretsError, match="log in as ci-build at auth/jwt") as caught,
    ):
        session.login()
    assert "bound claims" in str(caught.value)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("role", JOBS)
def test_a_job_gets_its_own_role_and_no_other(
    job: str, role: str, environment: Environment, github: ServiceAccounts
) -> None:
    own = CI | {"VAULT_ROLE": role, "VAULT_SECRET_PATH": f"mlops/{role}"}
    config = vault_config(environment(role, token=job_token(github, **JOBS[job]), **own), role)
    assert config is not None
    with closing(VaultSession(config)) as session:
        if job == role:
            session.login()
            assert session.read()["registry_token"].get_secret_value() == marked(
                role, "registry_token"
            )
        else:
            with pytest.raises(SecretsError, match="bound claims"):
                session.login()


def test_a_job_without_an_environment_is_refused(
    environment: Environment, github: ServiceAccounts
) -> None:
    claims = {key: value for key, value in JOB.items() if key != "environment"}
    token = github.signed({"iss": github.issuer, "exp": int(time.time()) + 300, **claims})
    config = vault_config(environment("ci-build", token=token, **CI), "ci-build")
    assert config is not None
    with closing(VaultSession(config)) as session, pytest.raises(SecretsError, match="log in as"):
        session.login()


@pytest.fixture
def actions(github: ServiceAccounts) -> Iterator[tuple[str, list[str]]]:
    """GitHub Actions' endpoint for OIDC tokens, and the audiences it was asked for."""
    asked: list[str] = []

    class Endpoint(Handler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != "Bearer of-the-job":
                self.send_error(401)
                return
            asked.append(parse_qs(urlsplit(self.path).query)["audience"][0])
            self.answer(200, {"value": job_token(github, aud=asked[-1])})

    with Loopback(Endpoint) as server:
        yield f"{server.url}/token?api-version=2.0", asked


def test_a_job_of_github_actions_gets_its_token_from_github(
    actions: tuple[str, list[str]],
    bao: Bao,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, asked = actions
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-job")
    config = vault_config(
        CI | {"VAULT_ADDR": bao.address, "VAULT_JWT_AUDIENCE": "vault"}, "ci-build"
    )
    assert config is not None
    with closing(VaultSecrets(config, "ci-build").open()) as secrets:
        assert secrets.snapshot().values["registry_token"].get_secret_value() == marked(
            "ci-build", "registry_token"
        )
    assert asked == ["vault"]


def test_a_job_that_may_not_ask_for_a_token_is_told_the_permission(
    actions: tuple[str, list[str]], bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = vault_config(
        CI | {"VAULT_ADDR": bao.address, "VAULT_START_SECONDS": "0.1"}, "ci-build"
    )
    assert config is not None
    with pytest.raises(SettingsError, match="not a GitHub Actions job") as caught:
        VaultSecrets(config, "ci-build").open()
    assert "id-token: write" in str(caught.value)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", actions[0])
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong-and-secret")
    with pytest.raises(SecretsError, match="GitHub gave no OIDC token") as refused:
        VaultSecrets(config, "ci-build").open()
    assert "wrong-and-secret" not in str(refused.value)


def test_a_namespace_has_secrets_of_its_own(
    opened: Opened, bao: Bao, vault_folder: Path, environment: Environment
) -> None:
    bao.client.write_data("sys/namespaces/team", data={})
    install(bao, vault_folder, namespace="team")
    found = opened("data-fetch", VAULT_NAMESPACE="team").snapshot().values["github_token"]
    assert found.get_secret_value() == marked("data-fetch", "github_token")
    bao.client.sys.delete_policy("data-fetch")
    try:
        with pytest.raises(SecretsError, match="refused to read"):
            opened("data-fetch")
        assert opened("data-fetch", VAULT_NAMESPACE="team").refresh() is False
    finally:
        text = (VAULT / "policies" / "data-fetch.hcl").read_text()
        bao.client.sys.create_or_update_policy("data-fetch", text)


def test_a_token_of_the_shell_or_the_home_folder_is_never_used(
    environment: Environment, bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", bao.root)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(bao.root)
    config = vault_config(environment("data-fetch"), "data-fetch")
    assert config is not None
    (tmp_path / "no-token").write_text("not-a-token")
    config = replace(config, jwt_file=tmp_path / "no-token")
    with closing(VaultSession(config)) as session, pytest.raises(SecretsError, match="log in as"):
        session.read()
