"""A real MLflow server for tests: SQLite, artifacts in a folder or on S3, logins if asked for."""

import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from support.forked import MLFLOW, ForkedServer
from support.ports import free_port
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed
from support.tracking import empty_database

ADMIN, PASSWORD = "admin", "of-mlflow-admin-0f1e"
_S3: Final = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}


class MlflowServer(ForkedServer):
    """One server, which hands artifacts on itself."""

    target = "support.mlflow_server:serve"
    preload = MLFLOW

    def __init__(
        self, folder: Path, *, seaweed: Seaweed | None = None, logins: bool = False
    ) -> None:
        super().__init__(folder)
        self._seaweed, self._logins = seaweed, logins
        self.port = free_port()
        (folder / "server.db").write_bytes(empty_database())

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        logins = ["--app-name", "basic-auth"] if self._logins else []
        return [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--artifacts-destination", self._destination()),
            *logins,
        ]

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
            return bool(answer.read() == b"OK")

    def _destination(self) -> str:
        return str(self.folder / "artifacts") if self._seaweed is None else f"s3://{BUCKET}/mlflow"

    def environment(self) -> dict[str, str]:
        variables = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("MLFLOW_", "PULLRISK_", "AWS_"))
        }
        variables |= {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        if self._seaweed is not None:
            variables |= _S3 | {"MLFLOW_S3_ENDPOINT_URL": self._seaweed.endpoint}
        if self._logins:
            variables |= {
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests",
                "MLFLOW_AUTH_CONFIG_PATH": str(self._auth_file()),
            }
        return variables

    def _auth_file(self) -> Path:
        path = self.folder / "auth.ini"
        path.write_text(
            "[mlflow]\ndefault_permission = READ\n"
            f"database_uri = sqlite:///{self.folder / 'auth.db'}\n"
            f"admin_username = {ADMIN}\nadmin_password = {PASSWORD}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        return path


def serve() -> None:
    """MLflow's command, forked; it would start uvicorn as a program, which imports all anew."""
    import mlflow.server
    from mlflow.cli import cli

    sys.modules.pop("mlflow.server.fastapi_app")  # it reads variables when it is imported
    assert callable(mlflow.server._exec_cmd)
    mlflow.server._exec_cmd = _be_uvicorn
    cli()


def _be_uvicorn(command: Sequence[str], *, extra_env: Mapping[str, str], **_: Any) -> None:
    from uvicorn.main import main

    assert list(command[1:3]) == ["-m", "uvicorn"]
    os.environ.update(extra_env)
    main(command[3:])
