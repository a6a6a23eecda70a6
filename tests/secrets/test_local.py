from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.check import check
from pullrisk.secrets.names import SECRETS, STAGES, mask_credentials
from pullrisk.settings import Settings
from pullrisk.wiring.provision import provide


def states(stage: str, environment: Mapping[str, str], **given: str) -> dict[str, str]:
    """The state of each of the stage's secrets without Vault."""
    values = {name: SecretStr(value) for name, value in given.items()}
    checked = check(stage, values, environment=environment)
    return {each.name: each.state for each in checked.readings}


def test_without_vault_a_secret_is_in_the_settings_or_in_a_usual_variable() -> None:
    found = states("data-fetch", {"GH_TOKEN": "of-gh"}, mongo_uri="mongodb://h/")
    assert found["github_token"] == "readable"
    assert found["mongo_uri"] == "readable"
    assert found["github_app_id"] == "absent"
    assert states("data-fetch", {"GH_TOKEN": "of-gh"})["mongo_uri"] == "missing"
    assert "api_keys" not in states("data-fetch", {}, api_keys="k")
    with pytest.raises(SettingsError, match="unknown stage: fetching"):
        states("fetching", {})


def test_inside_kubernetes_only_vault_is_a_source_unless_allowed() -> None:
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "GITHUB_TOKEN": "hush-token"}
    with pytest.raises(SettingsError, match="inside Kubernetes and VAULT_ADDR is not set") as told:
        states("data-fetch", inside)
    assert "PULLRISK_ALLOW_LOCAL_SECRETS" in str(told.value)
    assert "hush-token" not in str(told.value)
    allowed = check("data-fetch", environment=inside, allow_local=True)
    assert allowed.missing == ("mongo_uri",)


def test_credentials_in_the_settings_beside_vault_are_refused_by_name() -> None:
    both = Settings(store="mongodb://u:hush@h/", mlflow_uri="http://m")
    with pytest.raises(SettingsError, match="hold credentials too: mongo_uri") as caught:
        provide(both, "data-fetch", environment={"VAULT_ADDR": "http://127.0.0.1:1"})
    assert caught.value.args[0].endswith("too: mongo_uri")
    assert "PULLRISK_STORE" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_was_read_is_masked_from_then_on_but_addresses_are_not() -> None:
    keys, address = SecretStr("key-of-alice, key-of-bob"), SecretStr("http://mlflow.example")
    mask_credentials({"api_keys": keys, "mlflow_uri": address})
    shown = REDACTOR.text("key-of-bob asked http://mlflow.example")
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
