"""An operator's token writes the App's secrets for two stages, and reads none."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pullrisk.errors import SecretsError
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.kv import OperatorVault
from pullrisk.serve.sign_in.app_manifest import MadeApp
from pullrisk.wiring.sign_in import FileKeeper, VaultKeeper
from support.bao import Bao
from support.vault import put

APP = MadeApp(4711, "https://github.example.org/apps/x", "Iv1.0", "client", "hook", "PEM")
Environment = Callable[..., dict[str, str]]


def token(bao: Bao, policy: str = "app-setup") -> str:
    made = bao.client.auth.token.create(policies=[policy], ttl="15m")
    return str(made["auth"]["client_token"])


def read(bao: Bao, path: str) -> dict[str, Any]:
    found = bao.client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=True)
    return dict(found["data"]["data"])


@pytest.fixture
def keeper(bao: Bao, environment: Environment, tmp_path: Path) -> VaultKeeper:
    """For two stages of this test's own, which the policy of that name may write."""
    folder = f"mlops-{tmp_path.name}"
    rules = "".join(
        f'path "secret/data/{folder}/{stage}" {{ capabilities = ["create", "patch"] }}\n'
        for stage in ("data-fetch", "model-serving")
    )
    bao.client.sys.create_or_update_policy(tmp_path.name, rules)
    own = environment("model-serving", VAULT_SECRET_PATH=f"secret/{folder}/model-serving")
    config = vault_config(own, "model-serving")
    assert config is not None
    return VaultKeeper(config, FileKeeper(tmp_path / "github-app.toml"))


def test_both_stages_get_the_app_and_keep_what_they_had(
    bao: Bao, keeper: VaultKeeper, tmp_path: Path
) -> None:
    folder = f"mlops-{tmp_path.name}"
    put(bao, f"{folder}/model-serving", {"api_keys": "a", "github_app_id": "1"})
    mine = token(bao, tmp_path.name)
    keeper.check(mine)
    assert "Its secrets are in Vault" in keeper.keep(APP, mine)
    assert read(bao, f"{folder}/model-serving") == {"api_keys": "a", **APP.secrets()}
    assert read(bao, f"{folder}/data-fetch") == {"github_app_id": "4711", "github_app_key": "PEM"}
    assert not (tmp_path / "github-app.toml").exists()


def test_a_token_that_may_not_is_refused_before_the_app_is_made(
    bao: Bao, keeper: VaultKeeper
) -> None:
    for other in (token(bao, "model-serving"), "of-nobody", ""):
        with pytest.raises(SecretsError):
            keeper.check(other)


def test_what_vault_refuses_at_the_end_lies_in_a_private_file(
    bao: Bao, keeper: VaultKeeper, tmp_path: Path
) -> None:
    sentence = keeper.keep(APP, token(bao, "model-serving"))
    assert "by hand" in sentence
    file = tmp_path / "github-app.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'github_client_secret = "client"' in file.read_text()


def test_the_installed_policy_writes_two_paths_and_reads_none(
    bao: Bao, environment: Environment
) -> None:
    config = vault_config(environment("model-serving"), "model-serving")
    assert config is not None
    mine = token(bao)
    with closing(OperatorVault(config, mine)) as vault:
        vault.check(("mlops/model-serving", "mlops/data-fetch"))
        for stage in ("ml-training", "ci-promote", "serving-analysis"):
            with pytest.raises(SecretsError, match="may not create and patch"):
                vault.check((f"mlops/{stage}",))
    allowed = bao.client.sys.get_capabilities(
        ["secret/data/mlops/model-serving", "secret/metadata/mlops/model-serving"], token=mine
    )["data"]
    assert set(allowed["secret/data/mlops/model-serving"]) == {"create", "patch"}
    assert allowed["secret/metadata/mlops/model-serving"] == ["deny"]
