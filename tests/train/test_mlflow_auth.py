"""What an MLflow server is sent, and what the environment holds meanwhile."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

pytest.importorskip("mlflow", reason="the extra train is not installed")

from pullrisk.train.mlflow_client import MlflowLogin, authenticate, import_mlflow

PASSWORD = "of-mlflow-0f1e2d3c"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A server that answers for one experiment, and the Authorization headers it was sent."""
    sent: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.headers.get("Authorization", ""))
            body = json.dumps({"experiment": {"experiment_id": "7", "name": "pullrisk"}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "")
    yield f"http://127.0.0.1:{running.server_address[1]}", sent
    running.shutdown()
    running.server_close()
    thread.join()


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
