from pathlib import Path

import pytest

from pullrisk.errors import SettingsError
from pullrisk.secrets.config import SERVICE_ACCOUNT_TOKEN, auth_path, secret_path, vault_config

ADDRESS = {"VAULT_ADDR": "https://vault:8200"}


@pytest.mark.parametrize(
    "spelling",
    ["secret/data/mlops/x", "/secret/data/mlops/x/", "mlops/x", "secret/mlops/x", " mlops//x "],
)
def test_a_secret_path_is_accepted_in_every_spelling(spelling: str) -> None:
    assert secret_path(spelling) == ("secret", "mlops/x")


def test_another_mount_is_named_before_data() -> None:
    assert secret_path("team-kv/data/mlops/x") == ("team-kv", "mlops/x")


@pytest.mark.parametrize("spelling", ["secret/data/", "/", "secret", "mlops/../x"])
def test_a_secret_path_that_names_no_secret_is_refused(spelling: str) -> None:
    with pytest.raises(SettingsError, match=r"VAULT_SECRET_PATH is .*names no secret"):
        secret_path(spelling)


@pytest.mark.parametrize(
    "spelling",
    ["auth/kubernetes/login", "kubernetes", "auth/kubernetes", "kubernetes/login", "/kubernetes/"],
)
def test_an_auth_path_is_accepted_with_and_without_auth_and_login(spelling: str) -> None:
    assert auth_path(spelling) == "kubernetes"


def test_an_auth_path_may_have_several_parts() -> None:
    assert auth_path("auth/clusters/staging/login") == "clusters/staging"


@pytest.mark.parametrize("spelling", ["auth/login", "/", "auth/"])
def test_an_auth_path_without_a_method_is_refused(spelling: str) -> None:
    with pytest.raises(SettingsError, match="VAULT_PATH_AUTH is"):
        auth_path(spelling)


def test_without_an_address_there_is_no_vault() -> None:
    assert vault_config({"VAULT_ADDR": "  ", "VAULT_ROLE": "x"}, "data-fetch") is None


def test_the_defaults_are_kubernetes_and_the_stages_own_role_and_path() -> None:
    found = vault_config(ADDRESS, "data-fetch")
    assert found is not None
    assert (found.method, found.auth_mount, found.role) == (
        "kubernetes",
        "kubernetes",
        "data-fetch",
    )
    assert (found.mount, found.path) == ("secret", "mlops/data-fetch")
    assert found.jwt_file == SERVICE_ACCOUNT_TOKEN


def test_the_method_chooses_the_usual_mount() -> None:
    found = vault_config(ADDRESS | {"VAULT_AUTH_METHOD": "oidc"}, "ci-read")
    assert found is not None
    assert (found.method, found.auth_mount, found.jwt_file) == ("jwt", "jwt", None)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VAULT_ADDR": "vault:8200"}, "VAULT_ADDR is not an http:// or https:// address"),
        ({"VAULT_ADDR": "https://me:hush@vault"}, "VAULT_ADDR holds a user or password"),
        ({"VAULT_AUTH_METHOD": "ldap"}, "VAULT_AUTH_METHOD is 'ldap'"),
        ({"VAULT_CACERT": "/nowhere/ca.pem"}, "VAULT_CACERT names /nowhere/ca.pem"),
        ({"VAULT_REREAD_SECONDS": "often"}, "VAULT_REREAD_SECONDS is 'often'"),
        ({"VAULT_START_SECONDS": "-1"}, "VAULT_START_SECONDS is '-1'"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        vault_config(ADDRESS | variables, "data-fetch")
    assert caught.value.hint
    assert "hush" not in str(caught.value)


def test_a_ca_file_and_a_namespace_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    more = {"VAULT_CACERT": str(tmp_path / "ca.pem"), "VAULT_NAMESPACE": "/team/"}
    found = vault_config(ADDRESS | more, "data-fetch")
    assert found is not None
    assert (found.ca_file, found.namespace) == (tmp_path / "ca.pem", "team")
