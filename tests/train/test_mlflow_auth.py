"""What an MLflow server is sent, and what the environment holds meanwhile."""

import base64
import os
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

pytest.importorskip("mlflow", reason="the extra train is not installed")

from pullrisk.train.mlflow_client import MlflowLogin, authenticate, import_mlflow
from support.loopback import Handler, Loopback

PASSWORD = "of-mlflow-0f1e2d3c"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A server that answers for one experiment, and the Authorization headers it was sent."""
    sent: list[str] = []

    class Registry(Handler):
        def do_GET(self) -> None:
            sent.append(self.headers.get("Authorization", ""))
            self.answer(200, {"experiment": {"experiment_id": "7", "name": "pullrisk"}})

    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "")
    with Loopback(Registry) as running:
        yield running.url, sent


def ask(uri: str) -> str:
    experiment = import_mlflow().MlflowClient(uri).get_experiment_by_name("pullrisk")
    return str(experiment.experiment_id)


def test_user_and_password_are_sent_and_stand_in_no_variable(
    server: tuple[str, list[str]],
) -> None:
    uri, sent = server
    authenticate(MlflowLogin(username="ann", password=SecretStr(PASSWORD)))
    assert ask(uri) == "7"
    kind, _, value = sent[-1].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(value).decode() == f"ann:{PASSWORD}"
    assert not any(PASSWORD in text for text in os.environ.values())


def test_a_later_login_replaces_the_earlier_and_a_token_goes_before_a_password(
    server: tuple[str, list[str]],
) -> None:
    uri, sent = server
    authenticate(MlflowLogin(username="ann", password=SecretStr("old")))
    authenticate(MlflowLogin(password=SecretStr(PASSWORD), token=SecretStr("of-the-bearer")))
    ask(uri)
    assert sent[-1] == "Bearer of-the-bearer"


def test_a_login_shows_no_secret() -> None:
    login = MlflowLogin(username="ann", password=SecretStr(PASSWORD), token=SecretStr(PASSWORD))
    assert PASSWORD not in repr(login)
