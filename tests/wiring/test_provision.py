"""From secrets to settings, with a Vault that is not there and settings that are."""

import pytest
from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.secrets.source import Health, Listener, Snapshot
from pullrisk.settings import Settings
from pullrisk.wiring.provision import RotatingValue, provide, secrets_in, with_secrets

INSIDE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def test_a_laptop_needs_no_secrets() -> None:
    settings = Settings()
    assert provide(settings, "data-fetch", environment={}) == (settings, None)
    assert provide(settings, "data-fetch", environment=INSIDE) == (settings, None)


def test_secrets_take_their_places_in_the_settings() -> None:
    values = {
        "mongo_uri": SecretStr("mongodb://u:p@h/pulls"),
        "github_token": SecretStr("one\ntwo"),
        "github_app_id": SecretStr("12"),
        "mlflow_uri": SecretStr("https://mlflow.example"),
        "mlflow_password": SecretStr("of-mlflow"),
        "registry_token": SecretStr("has no setting"),
    }
    found = with_secrets(Settings(), values)
    assert found.store_uri == "mongodb://u:p@h/pulls"
    assert found.github_token == SecretStr("one,two")
    assert found.github_app_id == "12"
    assert found.tracking_uri == "https://mlflow.example"
    assert found.mlflow_password == SecretStr("of-mlflow")


def test_a_store_that_is_a_file_is_no_secret() -> None:
    assert secrets_in(Settings(store="pulls.sqlite", lake="s3://bucket/lake")) == {}
    found = secrets_in(Settings(store="mongodb://u:p@h/pulls", github_token=SecretStr("t")))
    assert {name: value.get_secret_value() for name, value in found.items()} == {
        "mongo_uri": "mongodb://u:p@h/pulls",
        "github_token": "t",
    }


@pytest.mark.parametrize(
    ("settings", "variables", "named"),
    [
        (Settings(store="mongodb://u:hush@h/pulls"), {}, "PULLRISK_STORE"),
        (Settings(github_token=SecretStr("hush")), {}, "PULLRISK_GITHUB_TOKEN"),
        (Settings(), {"GITHUB_TOKEN": "hush"}, "GITHUB_TOKEN"),
    ],
)
def test_inside_kubernetes_credentials_without_vault_are_refused_by_name(
    settings: Settings, variables: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=f"credentials stand in {named}") as caught:
        provide(settings, "data-fetch", environment=INSIDE | variables)
    assert "hush" not in str(caught.value)
    allowed = settings.model_copy(update={"allow_local_secrets": True})
    assert provide(allowed, "data-fetch", environment=INSIDE | variables) == (allowed, None)


def test_an_address_without_a_user_is_no_credential() -> None:
    settings = Settings(mlflow_uri="http://mlflow:5000")
    assert provide(settings, "ml-training", environment=INSIDE) == (settings, None)


def bare_token(settings: Settings) -> str | None:
    token = settings.github_token
    if token == SecretStr("bad"):
        raise SettingsError("the token is bad")
    return None if token is None else token.get_secret_value()


class ChangingSecrets:
    """Secrets that change when a test says so, and are read when somebody asks for it."""

    def __init__(self, token: str) -> None:
        self.token: str | None = token
        self._now, self._listeners = Snapshot(), list[Listener]()
        self.refresh()

    def snapshot(self) -> Snapshot:
        return self._now

    def refresh(self) -> bool:
        values = {} if self.token is None else {"github_token": SecretStr(self.token)}
        changed = self._now.changed_names(values)
        self._now = Snapshot(values, self._now.version + 1)
        for call in self._listeners if changed else ():
            call(changed, self._now)
        return bool(changed)

    def on_change(self, call: Listener) -> None:
        self._listeners.append(call)

    def health(self) -> Health:
        return Health(age=0.0)

    def close(self) -> None:
        self.token = None


def test_what_is_made_of_the_settings_follows_the_secrets() -> None:
    secrets = ChangingSecrets("first")
    rotating = RotatingValue(Settings(), secrets, bare_token)
    assert rotating.now == "first"
    secrets.token = "second"
    secrets.refresh()
    assert rotating.now == "second", "told of the change"
    secrets.token = "third"
    assert rotating.refresh(), "asked to look"
    assert rotating.now == "third"
    assert not rotating.refresh()
    secrets.token = None
    assert rotating.refresh()
    assert rotating.now is None, "a secret that is gone is no longer used"


def test_secrets_that_cannot_be_used_leave_what_was_made_of_the_last_good_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secrets = ChangingSecrets("first")
    rotating = RotatingValue(Settings(), secrets, bare_token)
    secrets.token = "bad"
    assert not rotating.refresh()
    assert rotating.now == "first"
    assert "the token is bad" in caplog.text
    secrets.token = "second"
    assert rotating.refresh()
    assert rotating.now == "second"
