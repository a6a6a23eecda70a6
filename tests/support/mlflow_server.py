"""A real MLflow server for tests: SQLite, artifacts in a folder or on S3, logins if asked for."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final, Self

from support.ports import lasting_port
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed

ADMIN, PASSWORD = "admin", "of-mlflow-admin-0f1e"
START_SECONDS: Final = 90
_S3: Final = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}


class MlflowServer:
    """One server, whose port stays the same over restarts; it hands artifacts on itself."""

    def __init__(
        self, folder: Path, *, seaweed: Seaweed | None = None, logins: bool = False
    ) -> None:
        self._folder, self._seaweed, self._logins = folder, seaweed, logins
        self.port = lasting_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self._folder / "output").read_text()

    def start(self) -> None:
        """Start it, on the data it had, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self._folder / 'server.db'}"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--artifacts-destination", self._destination()]
        if self._logins:
            command += ["--app-name", "basic-auth"]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, env=self._environment(),
                start_new_session=True, cwd=self._folder,
            )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and the workers it started."""
        if self._process is None:
            return
        os.killpg(self._process.pid, 9)
        self._process.wait()
        self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, f"MLflow does not answer\n{self.log}"
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.read() == b"OK")
        except urllib.error.HTTPError:
            raise
        except OSError:
            return False

    def _destination(self) -> str:
        return str(self._folder / "artifacts") if self._seaweed is None else f"s3://{BUCKET}/mlflow"

    def _environment(self) -> dict[str, str]:
        kept = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("MLFLOW_", "PULLRISK_", "AWS_"))
        }
        kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        if self._seaweed is not None:
            kept |= _S3 | {"MLFLOW_S3_ENDPOINT_URL": self._seaweed.endpoint}
        if self._logins:
            kept |= {
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests",
                "MLFLOW_AUTH_CONFIG_PATH": str(self._auth_file()),
            }
        return kept

    def _auth_file(self) -> Path:
        path = self._folder / "auth.ini"
        path.write_text(
            "[mlflow]\ndefault_permission = READ\n"
            f"database_uri = sqlite:///{self._folder / 'auth.db'}\n"
            f"admin_username = {ADMIN}\nadmin_password = {PASSWORD}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        return path
