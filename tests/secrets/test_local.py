from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from pullrisk.errors import SecretsError, SettingsError
from pullrisk.redaction import Redactor
from pullrisk.secrets import SECRETS, STAGES, LocalSecrets, open_secrets


def opened(
    stage: str = "data-fetch", environment: Mapping[str, str] | None = None, **given: str
) -> LocalSecrets:
    values = {name: SecretStr(value) for name, value in given.items()}
    found = open_secrets(stage, values, environment=environment or {})
    assert isinstance(found, LocalSecrets)
    return found


def test_a_setting_comes_before_the_usual_variable() -> None:
    variables = {"GITHUB_TOKEN": "of-the-shell", "GH_TOKEN": "of-gh"}
    assert opened(environment=variables).get("github_token").get_secret_value() == "of-the-shell"
    with_both = opened(environment=variables, github_token="of-the-settings")
    assert with_both.get("github_token").get_secret_value() == "of-the-settings"


def test_nothing_is_needed_until_it_is_asked_for() -> None:
    secrets = opened()
    assert secrets.find("mongo_uri") is None
    with pytest.raises(SecretsError, match="the secret mongo_uri is not set") as caught:
        secrets.get("mongo_uri")
    assert "PULLRISK_STORE" in str(caught.value)
    assert "VAULT_ADDR" in str(caught.value)


def test_a_stage_cannot_ask_for_what_it_does_not_declare() -> None:
    with pytest.raises(SecretsError, match="data-fetch asked for the secret api_keys"):
        opened(api_keys="k").find("api_keys")
    with pytest.raises(SettingsError, match="unknown stage: fetching"):
        opened("fetching")


def test_a_refresh_sees_a_changed_variable_and_tells_of_it() -> None:
    variables = {"GITHUB_TOKEN": "one-token"}
    secrets = opened(environment=variables)
    told: list[frozenset[str]] = []
    stop = secrets.on_change(lambda names, _: told.append(names))
    assert secrets.refresh() is False
    variables["GITHUB_TOKEN"] = "two-token"
    assert secrets.refresh() is True
    assert secrets.get("github_token").get_secret_value() == "two-token"
    assert told == [frozenset({"github_token"})]
    assert secrets.health().metrics()["pullrisk_secrets_changes_total"] == 1
    stop()
    variables["GITHUB_TOKEN"] = "three-token"
    secrets.refresh()
    assert len(told) == 1


def test_inside_kubernetes_only_vault_is_a_source_unless_allowed() -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "GITHUB_TOKEN": "hush-token"}
    with pytest.raises(SettingsError, match="inside Kubernetes and VAULT_ADDR is not set") as told:
        open_secrets("data-fetch", environment=inside)
    assert "PULLRISK_ALLOW_LOCAL_SECRETS" in str(told.value)
    assert "hush-token" not in str(told.value)
    allowed = open_secrets("data-fetch", environment=inside, allow_local=True)
    assert allowed.get("github_token").get_secret_value() == "hush-token"


def test_credentials_in_the_settings_beside_vault_are_refused_by_name() -> None:
    both = {"mongo_uri": SecretStr("mongodb://u:hush@h/"), "mlflow_uri": SecretStr("http://m")}
    with pytest.raises(SettingsError, match="hold credentials too: mongo_uri") as caught:
        open_secrets("data-fetch", both, environment={"VAULT_ADDR": "http://127.0.0.1:1"})
    assert caught.value.args[0].endswith("too: mongo_uri")
    assert "PULLRISK_STORE" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_was_read_is_masked_from_then_on_but_addresses_are_not() -> None:
    redactor = Redactor()
    LocalSecrets(
        "model-serving",
        {
            "api_keys": SecretStr("key-of-alice, key-of-bob"),
            "mlflow_uri": SecretStr("http://mlflow.example"),
        },
        environment={},
        redactor=redactor,
    )
    shown = redactor.text("key-of-bob asked http://mlflow.example")
    assert shown == "*** asked http://mlflow.example"


def test_every_need_is_a_known_secret_with_a_sentence() -> None:
    assert {name for needs in STAGES.values() for name in needs.names} == set(SECRETS)
    assert all(secret.sentence for secret in SECRETS.values())


def test_of_two_ways_one_suffices_and_a_begun_one_is_asked_to_be_finished() -> None:
    needs = STAGES["data-fetch"]
    assert needs.missing(["mongo_uri", "github_token"]) == ()
    assert needs.missing(["mongo_uri", "github_app_id", "github_app_key"]) == ()
    assert needs.missing(["mongo_uri", "github_app_id"]) == ("github_app_key",)
    assert needs.missing([]) == ("mongo_uri", "github_token")
