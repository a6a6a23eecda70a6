"""Talking to MLflow: login, database, patience that ends, and errors that say what to do."""

import fcntl
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pydantic import SecretStr

from pullrisk.atomic import make_folder
from pullrisk.errors import ModelError, needs_extra
from pullrisk.redaction import REDACTOR

NAME: Final = "pullrisk"
_VARIABLE: Final = "MLFLOW_TRACKING_AUTH"


@dataclass(frozen=True, slots=True)
class MlflowLogin:
    """A user with a password, or a bearer token."""

    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None


def authenticate(login: MlflowLogin) -> None:
    """Send this login with every request of MLflow from now on.

    MLflow's own variables for passwords would be inherited by every child process; this one
    names a provider of credentials, which is registered here, and holds none.
    """
    from mlflow.tracking.request_auth import registry
    from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
    from requests.auth import HTTPBasicAuth

    def bearer(request: Any) -> Any:  # noqa: ANN401
        if login.token is not None:
            request.headers["Authorization"] = f"Bearer {login.token.get_secret_value()}"
        return request

    def basic(request: Any) -> Any:  # noqa: ANN401
        password = "" if login.password is None else login.password.get_secret_value()
        return HTTPBasicAuth(login.username or "", password)(request)

    class Provider(RequestAuthProvider):  # type: ignore[misc]
        def get_name(self) -> str:
            return NAME

        def get_auth(self) -> Any:  # noqa: ANN401
            return basic if login.token is None else bearer

    known = registry._request_auth_provider_registry
    known._registry[:] = [each for each in known if each.get_name() != NAME]
    known.register(Provider)
    os.environ[_VARIABLE] = NAME


_DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",  # some 30 s; MLflow's own 7 take four minutes
}
_FULL: Final = re.compile(r"disk is full|No space left|File too large|quota exceeded")
_DENIED: Final = re.compile(r"error code 40[13]\b")
_ABSENT: Final = re.compile(r"(alias|[Vv]ersion|[Mm]odel)\b.* not found")
_AWAY: Final = re.compile(r"Max retries exceeded|Connection (refused|aborted|reset)|timed out")
_REASON: Final = re.compile(r"\[Errno -?\d+\] [\w ]+|timed out|Name or service not known")


class RegistryError(ModelError):
    """MLflow is away, refuses, or lacks what was asked for."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """A tracking server or database, and the folder for artifacts where it keeps none itself."""

    uri: str
    artifacts: Path

    @classmethod
    def local(cls, home: Path) -> "Tracking":
        """MLflow on an SQLite file in the home folder."""
        folder = home.absolute()
        return cls(sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")

    @property
    def is_file(self) -> bool:
        """Whether it is a database on this machine, which has no server of artifacts."""
        return self.uri.startswith("sqlite:")

    @property
    def is_absent(self) -> bool:
        """Whether it is a database that nothing has made yet; asking it would make it."""
        return self.is_file and not Path(unquote(self.uri.removeprefix(PREFIX))).exists()

    @property
    def shown(self) -> str:
        """Where it is, without a user name and password."""
        return REDACTOR.text(self.uri)


def import_mlflow() -> Any:  # noqa: ANN401  (mlflow has no types here)
    """The mlflow module, without telemetry; raises MissingExtraError if it is not installed."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    with needs_extra("train"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside mlflow's own imports
        import mlflow
        import mlflow.onnx
        from mlflow.utils import requirements_utils
    # Whether a model's three requirements are installed is asked of a list of every file of every
    # package, which takes 2 s to make; without it their own metadata tell.
    requirements_utils._MODULES_TO_PACKAGES = {}
    return mlflow


@contextmanager
def connected(tracking: Tracking) -> Iterator[tuple[Any, Any]]:
    """The module `mlflow`, speaking to `tracking`, and a client of it.

    The caller's own tracking URI comes back afterwards. Raises RegistryError for whatever
    MLflow or the network refuses.
    """
    mlflow = import_mlflow()
    before = mlflow.get_tracking_uri() if mlflow.tracking.is_tracking_uri_set() else ""
    with _quiet(), _translate_errors(mlflow, tracking):
        if tracking.is_file:
            ensure_database(tracking.uri, tracking.artifacts)
        mlflow.set_tracking_uri(tracking.uri)
        try:
            yield mlflow, mlflow.MlflowClient(tracking.uri, tracking.uri)
        finally:
            mlflow.set_tracking_uri(before)
            _remove_misread_folder(tracking.uri)


@contextmanager
def _translate_errors(mlflow: Any, tracking: Tracking) -> Iterator[None]:  # noqa: ANN401
    from sqlalchemy.exc import SQLAlchemyError  # a damaged file, where MLflow first opens it

    try:
        yield
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        text = REDACTOR.text(str(error))
        raise RegistryError(_what(text, tracking), hint=_hint(text)) from error


def _what(text: str, tracking: Tracking) -> str:
    if _AWAY.search(text):
        reason = _REASON.search(text)
        return f"MLflow at {tracking.shown} cannot be reached: {reason[0] if reason else text}"
    if _FULL.search(text):
        return f"MLflow at {tracking.shown}: the disk is full"
    return f"MLflow at {tracking.shown} refused: {text}"


def _hint(text: str) -> str:
    if _FULL.search(text):
        return "free some space and run the same command again"
    if _DENIED.search(text):
        return "check mlflow_username and mlflow_password, or mlflow_token, and its permissions"
    if _ABSENT.search(text):
        return "`pullrisk models list` names the versions and aliases that there are"
    return "check the setting mlflow_uri and that the server or file can be written"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back deprecations, and what MLflow and its migrations log: what fails is raised too."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            for module in ("mlflow", "pydantic", "sqlalchemy", "alembic"):
                warnings.filterwarnings("ignore", module=rf"{module}\b")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


PREFIX: Final = "sqlite:///"


def _remove_misread_folder(uri: str) -> None:
    """MLflow makes the folder of a database without decoding its URI: an empty one beside it."""
    path = uri.removeprefix(PREFIX)
    if path != unquote(path):
        with suppress(OSError):
            os.removedirs(Path(path).parent)


def sqlite_uri(path: Path) -> str:
    """The URI of the file as SQLAlchemy reads it: it decodes %XX, and ? begins options."""
    return f"{PREFIX}{path.absolute()}".replace("%", "%25").replace("?", "%3F")


def ensure_database(uri: str, artifacts: Path) -> None:
    """Make the SQLite file of `uri` with all its tables, unless it is there.

    MLflow makes its tables in dozens of steps and cannot go on from the middle of them: a run
    killed there would leave a file that no later run can use. So they are made in a draft beside
    it, which then takes its name. `artifacts` is where MLflow's default experiment keeps its own.
    Raises OSError where the folder cannot be written.
    """
    from sqlalchemy.engine import make_url

    path = Path(make_url(uri).database or "")
    if path.exists():
        return
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.draft")
    with _alone(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        draft.unlink(missing_ok=True)
        _make(draft, artifacts)
        draft.replace(path)


def _make(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(sqlite_uri(path), artifacts.absolute().as_uri())
    store.engine.dispose()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out; the lock ends with the process, however it ends."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
