"""From secrets to settings: a stage's credentials from Vault take the place of its settings."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from pydantic import SecretStr

from pullrisk.errors import PullriskError, SettingsError
from pullrisk.redaction import protect
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.names import (
    SECRETS,
    is_credential,
    mask_credentials,
    needs_of,
    split_values,
)
from pullrisk.secrets.source import IN_KUBERNETES, Secrets
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import MONGO, Server, is_on_mongo, mongo_uri

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)


def secrets_in(settings: Settings) -> dict[str, SecretStr]:
    """The secrets that the settings hold, by the secrets' names."""
    secrets: dict[str, SecretStr] = {}
    for name, secret in SECRETS.items():
        value: Any = settings
        for part in secret.place:
            value = getattr(value, part, None)
        if value is None or (name == "mongo_uri" and not str(value).startswith(MONGO)):
            continue
        if name != "do_spaces_bucket":  # a local lake's folder is not a bucket
            secrets[name] = value if isinstance(value, SecretStr) else SecretStr(str(value))
    return secrets


def provide(
    settings: Settings, stage: str, *, environment: Mapping[str, str] | None = None
) -> tuple[Settings, Secrets | None]:
    """The settings with this stage's secrets from Vault, and the secrets, to be closed.

    Without Vault: the settings unchanged, and None. Inside Kubernetes, credentials without
    Vault are refused unless `allow_local_secrets`. Raises SettingsError, SecretsError,
    MissingExtraError.
    """
    environment = os.environ if environment is None else environment
    protect()
    credentials = secrets_in(settings)
    mask_credentials(credentials)
    config = vault_config(environment, stage)
    if config is None:
        _refuse_inside_kubernetes(settings, stage, credentials, environment)
        return settings, None
    _refuse_beside_vault(credentials)
    from pullrisk.secrets.vault import VaultSecrets

    secrets = VaultSecrets(config, stage).open()
    return with_secrets(settings, secrets.snapshot().values), secrets


def with_secrets(settings: Settings, values: Mapping[str, SecretStr]) -> Settings:
    """The settings with these secrets in their fields; those without a field are left out."""
    for name, value in values.items():
        settings = _with_value(settings, SECRETS[name].place, _as_setting(name, value))
    return settings


class RotatingValue(Generic[T]):
    """A value made from the settings, and made again when secrets change; thread-safe.

    `bare` are the settings without the secrets. If `make` fails on new secrets, that is logged
    and the last good value stays; the first failure is raised.
    """

    def __init__(self, bare: Settings, secrets: Secrets, make: Callable[[Settings], T]) -> None:
        self._bare, self._secrets, self._make = bare, secrets, make
        self._lock = threading.Lock()
        self._now = make(with_secrets(bare, secrets.snapshot().values))
        secrets.on_change(lambda names, snapshot: self._update())

    @property
    def now(self) -> T:
        """The value in force: the same object until it changes."""
        return self._now

    def refresh(self) -> bool:
        """Read the secrets again, after a service refused one; returns True if `now` changed."""
        before = self._now
        self._secrets.refresh()
        return self._now is not before

    def _update(self) -> None:
        with self._lock:
            try:
                value = self._make(with_secrets(self._bare, self._secrets.snapshot().values))
            except PullriskError as error:
                _LOG.warning("rotated secrets cannot be used, the last good stay: %s", error)
                return
            if value != self._now:
                self._now = value


class Current:
    """The settings of a service as the secrets are now; a rotation replaces `settings`."""

    def __init__(self, settings: Settings, secrets: Secrets | None) -> None:
        self.settings, self.secrets = settings, secrets

    def keys(self) -> tuple[str, ...]:
        """The API keys that Vault or the settings hold."""
        return self._values("api_keys")

    def admin_keys(self) -> tuple[str, ...]:
        """The keys of operators that Vault or the settings hold."""
        return self._values("admin_keys")

    def server(self) -> Server:
        """The store's server as the service uses it: it gives up before a client does."""
        server = Server(retry_seconds=self.settings.serve.reach)
        if self.secrets is not None and is_on_mongo(self.settings):
            server["rotating"] = RotatingValue(self.settings, self.secrets, mongo_uri)
        return server

    def close(self) -> None:
        """End the login at Vault, if there is one."""
        if self.secrets is not None:
            self.secrets.close()

    def _values(self, name: str) -> tuple[str, ...]:
        if self.secrets is None:
            secret = getattr(self.settings, name)
        else:
            secret = self.secrets.snapshot().values.get(name)
        return () if secret is None else split_values(secret)


def _with_value(settings: Any, place: tuple[str, ...], value: SecretStr) -> Any:  # noqa: ANN401
    field = type(settings).model_fields.get(place[0])
    if field is None:
        return settings
    if len(place) > 1:
        nested = getattr(settings, place[0])
        changed: object = _with_value(nested, place[1:], value)
    elif SecretStr in getattr(field.annotation, "__args__", ()):
        changed = value
    else:
        changed = value.get_secret_value()
    return settings.model_copy(update={place[0]: changed})


def _as_setting(name: str, value: SecretStr) -> SecretStr:
    """The secret in the form of its setting: a bucket is there a lake's URI."""
    if name == "do_spaces_bucket":
        return SecretStr(f"s3://{value.get_secret_value()}/lake")
    if name in ("api_keys", "admin_keys", "github_token"):
        return SecretStr(",".join(split_values(value)))
    return value


def _refuse_beside_vault(credentials: Mapping[str, SecretStr]) -> None:
    """Raise SettingsError for a credential in the settings beside Vault: one copy too many."""
    names = [name for name, value in credentials.items() if is_credential(name, value)]
    if names:
        settings = ", ".join(SECRETS[name].variable for name in names)
        raise SettingsError(
            f"VAULT_ADDR is set, and the settings hold credentials too: {', '.join(names)}",
            hint=f"remove {settings}; with Vault, secrets come from nowhere else",
        )


def _refuse_inside_kubernetes(
    settings: Settings,
    stage: str,
    credentials: Mapping[str, SecretStr],
    environment: Mapping[str, str],
) -> None:
    if settings.allow_local_secrets or not environment.get(IN_KUBERNETES):
        return
    variables = [
        SECRETS[name].variable for name, value in credentials.items() if is_credential(name, value)
    ]
    usual = (each for name in needs_of(stage).names for each in SECRETS[name].variables)
    variables += [variable for variable in usual if environment.get(variable)]
    if variables:
        raise SettingsError(
            f"inside Kubernetes, credentials stand in {', '.join(variables)}",
            hint="set VAULT_ADDR and remove them, or set PULLRISK_ALLOW_LOCAL_SECRETS=true",
        )
