"""From secrets to settings: a stage's credentials from Vault take the place of its settings."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import SecretStr

from pullrisk.errors import PullriskError, SettingsError
from pullrisk.settings import Settings

if TYPE_CHECKING:
    from pullrisk.secrets import Secrets

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)
_MONGO: Final = ("mongodb://", "mongodb+srv://")


def given(settings: Settings) -> dict[str, SecretStr]:
    """The secrets that the settings hold, by their names."""
    return dict(_given(settings))


def provide(
    settings: Settings, stage: str, *, environment: Mapping[str, str] | None = None
) -> tuple[Settings, "Secrets | None"]:
    """The settings with this stage's secrets from Vault; as they are where there is no Vault.

    The secrets are to be closed. Inside Kubernetes, credentials without Vault are refused
    unless `allow_local_secrets`. Raises SettingsError, SecretsError, MissingExtraError.
    """
    from pullrisk.redaction import REDACTOR, protect
    from pullrisk.secrets.names import mask_credentials

    environment = os.environ if environment is None else environment
    protect()
    held = given(settings)
    mask_credentials(held, REDACTOR)
    if environment.get("VAULT_ADDR", "").strip():
        from pullrisk.secrets import open_secrets

        secrets = open_secrets(stage, held, environment=environment)
        return filled(settings, secrets.snapshot().values), secrets
    _refuse_inside_kubernetes(settings, stage, held, environment)
    return settings, None


def filled(settings: Settings, values: Mapping[str, SecretStr]) -> Settings:
    """The settings, with these secrets where they belong; those without a setting left out."""
    from pullrisk.secrets.names import SECRETS

    for name, value in values.items():
        settings = _placed(settings, SECRETS[name].place, _spelled(name, value))
    return settings


class Following(Generic[T]):
    """What is made of the settings, made anew when secrets change; any thread may ask.

    `bare` are the settings without the secrets. New values of which nothing can be made are
    logged, and what was made of the last good ones stays. The first may raise what `make` does.
    """

    def __init__(self, bare: Settings, secrets: "Secrets", make: Callable[[Settings], T]) -> None:
        self._bare, self._secrets, self._make = bare, secrets, make
        self._lock = threading.Lock()
        self._now = make(filled(bare, secrets.snapshot().values))
        secrets.on_change(lambda names, snapshot: self._follow())

    @property
    def now(self) -> T:
        """The one object that holds until the next change."""
        return self._now

    def refresh(self) -> bool:
        """Read the secrets anew, after a service refused one; whether that made a difference."""
        before = self._now
        self._secrets.refresh()
        self._follow()  # the change may have been found, and not yet told, by another thread
        return self._now is not before

    def _follow(self) -> None:
        with self._lock:
            try:
                made = self._make(filled(self._bare, self._secrets.snapshot().values))
            except PullriskError as error:
                _LOG.warning("rotated secrets cannot be used, the last good stay: %s", error)
                return
            if made != self._now:
                self._now = made


def _given(settings: Settings) -> Iterator[tuple[str, SecretStr]]:
    from pullrisk.secrets.names import SECRETS

    for name, secret in SECRETS.items():
        value: Any = settings
        for part in secret.place:
            value = getattr(value, part, None)
        if value is None or (name == "mongo_uri" and not str(value).startswith(_MONGO)):
            continue
        if name == "do_spaces_bucket":
            continue  # the place of a local lake says nothing of a bucket
        yield name, value if isinstance(value, SecretStr) else SecretStr(str(value))


def _placed(settings: Any, place: tuple[str, ...], value: SecretStr) -> Any:  # noqa: ANN401
    field = type(settings).model_fields.get(place[0])
    if field is None:
        return settings
    if len(place) > 1:
        nested = getattr(settings, place[0])
        changed: object = _placed(nested, place[1:], value)
    elif SecretStr in getattr(field.annotation, "__args__", ()):
        changed = value
    else:
        changed = value.get_secret_value()
    return settings.model_copy(update={place[0]: changed})


def _spelled(name: str, value: SecretStr) -> SecretStr:
    """The secret as its setting writes it: a bucket is a lake's URI there."""
    if name == "do_spaces_bucket":
        return SecretStr(f"s3://{value.get_secret_value()}/lake")
    if name in ("api_keys", "github_token"):
        return SecretStr(",".join(value.get_secret_value().replace(",", " ").split()))
    return value


def _refuse_inside_kubernetes(
    settings: Settings,
    stage: str,
    held: Mapping[str, SecretStr],
    environment: Mapping[str, str],
) -> None:
    from pullrisk.secrets.names import SECRETS, is_credential, needs_of
    from pullrisk.secrets.source import IN_KUBERNETES

    if settings.allow_local_secrets or not environment.get(IN_KUBERNETES):
        return
    found = [SECRETS[name].variable for name, value in held.items() if is_credential(name, value)]
    usual = (each for name in needs_of(stage).names for each in SECRETS[name].variables)
    found += [variable for variable in usual if environment.get(variable)]
    if found:
        raise SettingsError(
            f"inside Kubernetes, credentials stand in {', '.join(found)}",
            hint="set VAULT_ADDR and remove them, or set PULLRISK_ALLOW_LOCAL_SECRETS=true",
        )
