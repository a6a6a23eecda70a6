"""From settings to adapters: the only place that chooses between them."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TypedDict, Unpack
from urllib.parse import urlsplit

from pullrisk.errors import SettingsError, needs_extra
from pullrisk.redaction import redacted
from pullrisk.settings import Settings

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pullrisk.fetch.github.access import Access
    from pullrisk.lake import Lake
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.metadata import OperatingPoints
    from pullrisk.pulls.deliveries import DeliveryQueue
    from pullrisk.pulls.people import BotNames
    from pullrisk.pulls.scores import ScoreTable
    from pullrisk.pulls.store import PullStore, Rotating
    from pullrisk.train.mlflow_client import Tracking

MONGO: Final = ("mongodb://", "mongodb+srv://")
"""How the URI of a MongoDB begins."""
MLFLOW_LOGIN: Final = (
    "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME",
)  # fmt: skip
MODEL_FILE: Final = "model.onnx"
"""The model that a home scores with: the last trained that was let in, or the general one."""


class Server(TypedDict, total=False):
    """How a store's server is used: seconds that one which is away is tried again, and what tells
    the URI as it is now. An SQLite file needs neither.
    """

    retry_seconds: float
    rotating: "Rotating[str] | None"


def open_store(settings: Settings, **server: Unpack[Server]) -> "PullStore":
    """The pull store of these settings; nothing is created before the first write."""
    return store_at(settings.store_uri, **server)


def is_on_mongo(settings: Settings) -> bool:
    """Whether the pull store of these settings is on MongoDB."""
    return settings.store_uri.startswith(MONGO)


def mongo_uri(settings: Settings) -> str:
    """The URI of the pull store on MongoDB.

    Raises SettingsError for one that MongoDB would not take, MissingExtraError without the
    extra `mongo`.
    """
    with needs_extra("mongo"):
        from pullrisk.pulls.mongo_server import Address
    return Address.parse(settings.store_uri).uri


def store_at(place: str, **server: Unpack[Server]) -> "PullStore":
    """The pull store at a path (SQLite) or a mongodb:// URI.

    Raises SettingsError for another kind of URI, MissingExtraError without the extra `mongo`.
    """
    if place.startswith(MONGO):
        from pullrisk.pulls.mongo import MongoStore

        return MongoStore(place, **server)
    if "://" in place:
        raise SettingsError(
            f"the pull store {redacted(place)} is of an unknown kind",
            hint="it has to be the path of an SQLite file, or mongodb://HOST/DATABASE",
        )
    from pullrisk.pulls.sqlite import SqliteStore

    return SqliteStore(Path(place))


def open_deliveries(settings: Settings, **server: Unpack[Server]) -> "DeliveryQueue":
    """The queue of webhook deliveries in the pull store of these settings; see `store_at`."""
    if is_on_mongo(settings):
        from pullrisk.pulls.deliveries_mongo import MongoDeliveries

        return MongoDeliveries(settings.store_uri, **server)
    from pullrisk.pulls.deliveries_sqlite import SqliteDeliveries

    return SqliteDeliveries(Path(settings.store_uri))


def open_scores(settings: Settings, **server: Unpack[Server]) -> "ScoreTable":
    """The published scores in the pull store of these settings; see `store_at`."""
    if is_on_mongo(settings):
        from pullrisk.pulls.scores_mongo import MongoScores

        return MongoScores(settings.store_uri, **server)
    from pullrisk.pulls.scores_sqlite import SqliteScores

    return SqliteScores(Path(settings.store_uri))


def bot_names(settings: Settings) -> "BotNames":
    """The accounts that the settings call bots or persons."""
    from pullrisk.pulls.people import BotNames

    return BotNames.of(settings.bots.add, settings.bots.remove)


def home_salt(settings: Settings) -> bytes:
    """The secret with which addresses are hashed; made if the home has none yet."""
    from pullrisk.fetch.salt import read_salt

    return read_salt(settings.home / "salt")


def github_access(settings: Settings) -> "Access":
    """Where GitHub is and as whom to ask: the settings' tokens and App, else GITHUB_TOKEN or
    GH_TOKEN, else what `gh auth token` says.

    Raises SettingsError, and MissingExtraError without the extra `github`.
    """
    with needs_extra("github"):
        from pullrisk.fetch.github.access import access_from
    return access_from(
        url=settings.github_url,
        token=secret_text(settings.github_token),
        app_id=settings.github_app_id,
        app_key=secret_text(settings.github_app_key),
        installations=settings.github_app_installation_id,
    )


def secret_text(secret: "SecretStr | None") -> str | None:
    """The secret as plain text; None if there is none."""
    return None if secret is None else secret.get_secret_value()


def open_lake(settings: Settings) -> "Lake":
    """The lake of these settings. Raises MissingExtraError without the extra `lake`."""
    from pullrisk.lake import Lake

    return Lake(settings.lake_uri, s3=settings.s3)


def tracking(settings: Settings) -> "Tracking":
    """Where training runs and models are registered.

    Raises MissingExtraError if a login at MLflow is set and mlflow is not installed.
    """
    from pullrisk.train.mlflow_client import Tracking

    if settings.mlflow_token or settings.mlflow_password:
        from pullrisk.train.mlflow_client import MlflowLogin, authenticate, import_mlflow

        import_mlflow()
        user, password = settings.mlflow_username, settings.mlflow_password
        authenticate(MlflowLogin(user, password, settings.mlflow_token))
    else:
        _refuse_foreign_login(settings.tracking_uri)
    return Tracking(settings.tracking_uri, settings.home.absolute() / "mlartifacts")


def _refuse_foreign_login(uri: str) -> None:
    """MLflow sends the login in its own variables to any server: hold it to the one they name."""
    login_uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    variables = [name for name in MLFLOW_LOGIN if os.environ.get(name)]
    if (
        login_uri
        and variables
        and uri.startswith("http")
        and urlsplit(login_uri).hostname != urlsplit(uri).hostname
    ):
        raise SettingsError(
            f"{variables[0]} is for {redacted(login_uri)}, and is not sent to {redacted(uri)}",
            hint="unset it, or set PULLRISK_MLFLOW_TOKEN or PULLRISK_MLFLOW_PASSWORD",
        )


def load_model(settings: Settings, reference: str | None = None) -> "Bundle":
    """A model: `general`, a file, a registered version (`3`) or alias (`@champion`), or that of
    the home, which is the general one as long as the home has none.

    Raises ModelError, and MissingExtraError if a registered one is asked for without mlflow.
    """
    if reference is None or not is_registered(reference):
        return unregistered_model(settings, reference)[0]
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.registry import download

    with TemporaryDirectory(prefix="pullrisk-") as folder:
        return Bundle.load(download(tracking(settings), reference, Path(folder)))


def unregistered_model(settings: Settings, reference: str | None) -> "tuple[Bundle, str]":
    """A model that no registry is asked for, and where it came from. Raises ModelError.

    It is `general`, a file, or without a reference that of the home, as `load_model` says.
    """
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.general import GENERAL, general_bundle

    home_model = settings.home / MODEL_FILE
    if reference == GENERAL or (reference is None and not home_model.exists()):
        return general_bundle(), "general model"
    path = home_model if reference is None else Path(reference)
    return Bundle.load(path), str(path)


def is_registered(reference: str) -> bool:
    """Whether a model's reference names one of the registry: `@champion`, or `3`."""
    return reference.startswith("@") or reference.isdecimal()


def operating_points(settings: Settings) -> "OperatingPoints":
    """The bands of risk, as the model reads them."""
    from pullrisk.model.metadata import OperatingPoints

    points = settings.operating_points
    return OperatingPoints(high=points.high, elevated=points.elevated)


def github_site(settings: Settings) -> str:
    """The address below which repositories lie. Raises SettingsError."""
    from pullrisk.fetch.github.endpoint import endpoint

    return endpoint(settings.github_url).web
