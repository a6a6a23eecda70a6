"""MLflow's own variables hold a login for one server, which no other gets."""

import pytest

from pullrisk.errors import SettingsError
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import MLFLOW_LOGIN, tracking


@pytest.mark.parametrize("variable", MLFLOW_LOGIN)
def test_a_login_goes_to_its_own_server_only(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hush@mlflow.example.com")
    monkeypatch.setenv(variable, "hush")
    with pytest.raises(SettingsError, match=rf"{variable} is for .*mlflow\.example\.com") as caught:
        tracking(Settings(mlflow_uri="https://collector.example"))
    assert "hush" not in str(caught.value)
    tracking(Settings(mlflow_uri="https://mlflow.example.com/"))
    tracking(Settings())  # a file on this machine
