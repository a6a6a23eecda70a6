"""What goes wrong at a start: each case names what to fix, and none shows a token or a value."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pullrisk.errors import SecretsError
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.vault import VaultSecrets
from support.bao import Bao
from support.kubernetes_api import API_SERVER, ServiceAccounts
from support.loopback import Handler, Loopback
from support.ports import free_port
from support.processes import until

Environment = Callable[..., dict[str, str]]
STAGE = "data-fetch"


def refused(environment: dict[str, str], stage: str = STAGE) -> str:
    """The whole error of a start that fails, checked for leaks."""
    config = vault_config(environment, stage)
    assert config is not None
    with pytest.raises(SecretsError) as caught:
        VaultSecrets(config, stage).open()
    assert caught.value.exit_code == 10
    assert caught.value.hint
    told = str(caught.value) + repr(caught.value)
    if config.jwt_file is not None and config.jwt_file.is_file():
        token = config.jwt_file.read_text().strip()
        assert not any(part in told for part in token.split(".") if part)
    assert "0f1e2d3c" not in told
    return str(caught.value)


def put(bao: Bao, path: str, values: dict[str, Any], *, mount: str = "secret") -> str:
    """A path that the role `loose` may read, holding these values."""
    bao.client.secrets.kv.v2.create_or_update_secret(path, secret=values, mount_point=mount)
    loose(bao)
    return f"{mount}/data/{path}"


def loose(bao: Bao) -> None:
    """A role for the data-fetch account whose policy allows more than vault/ does."""
    rules = 'path "secret/*" { capabilities = ["read"] }\npath "old/*" { capabilities = ["read"] }'
    bao.client.sys.create_or_update_policy("loose", rules)
    role = {
        "bound_service_account_names": [STAGE],
        "bound_service_account_namespaces": ["pullrisk"],
        "audience": "vault",
        "token_policies": ["loose"],
    }
    bao.client.write_data("auth/kubernetes/role/loose", data=role)


def test_a_vault_that_is_away_is_tried_until_the_patience_ends(environment: Environment) -> None:
    started = time.monotonic()
    variables = environment(STAGE, VAULT_START_SECONDS="0.8")
    told = refused(variables | {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}"})
    assert "cannot be reached; gave up after 0.8 s and" in told
    assert "VAULT_ADDR" in told
    assert time.monotonic() - started > 0.2


def test_a_vault_that_comes_up_within_the_patience_is_used(
    environment: Environment, sealable: Bao, caplog: pytest.LogCaptureFixture
) -> None:
    sealable.stop()
    config = vault_config(environment(STAGE, server=sealable, VAULT_START_SECONDS="120"), STAGE)
    assert config is not None
    secrets = VaultSecrets(config, STAGE)

    def waits() -> list[str]:
        return [text for text in caplog.messages if "waiting for it, at most 120 s" in text]

    def come_up() -> None:
        until(waits)
        sealable.start()
        sealable.unseal()

    up = threading.Thread(target=come_up)
    up.start()
    try:
        secrets.open()
        assert (
            secrets.snapshot().values["mongo_uri"].get_secret_value()
            == "mongo_uri-of-data-fetch-0f1e2d3c"
        )
        (line,) = waits()  # one line at once, and not one for each try
        assert "cannot be reached" in line
    finally:
        up.join()
        secrets.close()


def test_a_sealed_vault_is_called_sealed(environment: Environment, sealable: Bao) -> None:
    sealable.seal()
    told = refused(environment(STAGE, server=sealable, VAULT_START_SECONDS="0.3"))
    assert "is sealed; gave up" in told
    assert "bao operator unseal" in told


def test_an_unknown_role_is_named(environment: Environment) -> None:
    told = refused(environment(STAGE, VAULT_ROLE="nobody"))
    assert 'log in as nobody at auth/kubernetes: invalid role name "nobody"' in told
    assert "bao read auth/kubernetes/role/nobody" in told


def test_the_role_of_another_stage_is_refused(environment: Environment) -> None:
    told = refused(environment(STAGE, VAULT_ROLE="ml-training"))
    assert "refused to log in as ml-training" in told or "could not log in as ml-training" in told
    assert "system:serviceaccount:pullrisk:data-fetch" in told


def test_a_service_account_of_another_namespace_is_refused(
    environment: Environment, accounts: ServiceAccounts
) -> None:
    told = refused(environment(STAGE, token=accounts.token(STAGE, namespace="elsewhere")))
    assert "system:serviceaccount:elsewhere:data-fetch" in told


def test_a_wrong_audience_is_shown_beside_the_role(
    environment: Environment, accounts: ServiceAccounts
) -> None:
    told = refused(environment(STAGE, token=accounts.token(STAGE, audience=API_SERVER)))
    assert f"audience ['{API_SERVER}']" in told
    assert "role data-fetch" in told


def test_an_expired_token_is_called_expired(
    environment: Environment, accounts: ServiceAccounts
) -> None:
    told = refused(environment(STAGE, token=accounts.token(STAGE, seconds=-60)))
    assert "expired at 20" in told
    assert "mount a projected service-account token" in told


def test_a_token_signed_by_somebody_else_is_refused(environment: Environment) -> None:
    told = refused(environment(STAGE, token=ServiceAccounts().token(STAGE)))
    assert "log in as data-fetch" in told


def test_a_token_file_that_is_absent_empty_or_no_token_is_named(environment: Environment) -> None:
    absent = environment(STAGE) | {"VAULT_JWT_FILE": "/nowhere/token"}
    assert "/nowhere/token cannot be read: No such file" in refused(absent)
    assert "is empty" in refused(environment(STAGE, token="\n"))
    assert "is not a JSON web token" in refused(environment(STAGE, token="not-a-token"))


def test_a_path_without_a_secret_is_named(environment: Environment, bao: Bao) -> None:
    loose(bao)
    variables = environment(STAGE, VAULT_ROLE="loose", VAULT_SECRET_PATH="mlops/nothing")
    assert "no secret at secret/mlops/nothing" in refused(variables)


def test_a_path_outside_the_policy_names_role_and_path(environment: Environment) -> None:
    told = refused(environment(STAGE, VAULT_SECRET_PATH="mlops/ml-training"))
    assert "refused to read secret/mlops/ml-training: permission denied" in told
    assert "policy of role data-fetch" in told


def test_a_deleted_secret_is_called_deleted(environment: Environment, bao: Bao) -> None:
    path = put(bao, "tests/deleted", {"mongo_uri": "x"})
    bao.client.secrets.kv.v2.delete_latest_version_of_secret("tests/deleted", mount_point="secret")
    told = refused(environment(STAGE, VAULT_ROLE="loose", VAULT_SECRET_PATH=path))
    assert "latest version of secret/tests/deleted is deleted" in told


def test_a_missing_key_is_named(environment: Environment, bao: Bao) -> None:
    path = put(bao, "tests/half", {"github_token": "of-0f1e2d3c", "mongo_uri": "  "})
    told = refused(environment(STAGE, VAULT_ROLE="loose", VAULT_SECRET_PATH=path))
    assert "secret/tests/half lacks mongo_uri, which data-fetch needs" in told


def test_a_value_that_is_not_text_is_named(environment: Environment, bao: Bao) -> None:
    path = put(bao, "tests/number", {"mongo_uri": 12345678})
    told = refused(environment(STAGE, VAULT_ROLE="loose", VAULT_SECRET_PATH=path))
    assert "mongo_uri in secret/tests/number is a int, not text" in told
    assert "12345678" not in told


def test_kv_version_1_is_told_apart(environment: Environment, bao: Bao) -> None:
    if "old/" not in bao.client.sys.list_mounted_secrets_engines()["data"]:
        bao.client.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
    bao.client.secrets.kv.v1.create_or_update_secret("mlops/x", {"a": "b"}, mount_point="old")
    loose(bao)
    variables = environment(STAGE, VAULT_ROLE="loose", VAULT_SECRET_PATH="old/data/mlops/x")
    told = refused(variables)
    assert "old/ is a KV engine of version 1, pullrisk reads version 2" in told
    assert "bao kv enable-versioning old" in told


def test_an_address_that_is_not_vault_is_refused(environment: Environment) -> None:
    class Page(Handler):
        def do_POST(self) -> None:
            self.answer(200, b"<html>hello</html>")

    with Loopback(Page) as server:
        assert "is not Vault" in refused(environment(STAGE) | {"VAULT_ADDR": server.url})


def test_a_certificate_of_an_unknown_authority_names_the_ca_setting(
    environment: Environment, sealable: Bao
) -> None:
    variables = environment(STAGE, server=sealable)
    del variables["VAULT_CACERT"]
    told = refused(variables)
    assert "certificate that is not trusted" in told
    assert "VAULT_CACERT" in told


def test_a_ca_file_makes_a_private_authority_trusted(
    opened: Callable[..., VaultSecrets], sealable: Bao
) -> None:
    found = opened(STAGE, server=sealable).snapshot().values["github_token"]
    assert found.get_secret_value() == "github_token-of-data-fetch-0f1e2d3c"
