"""Checks what a stage can and cannot read, without showing any value."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.secrets.config import PREFIX, VaultConfig, vault_config
from pullrisk.secrets.names import SECRETS, STAGES, Needs, mask_credentials, needs_of
from pullrisk.secrets.session import VaultSession
from pullrisk.secrets.source import IN_KUBERNETES

State = Literal["readable", "missing", "absent"]


@dataclass(frozen=True, slots=True)
class SecretState:
    """One secret: readable, missing (the stage needs it) or absent (the stage can do without)."""

    name: str
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class PathAccess:
    """A stage's path in Vault and whether this token may read it."""

    path: str
    readable: bool
    own: bool


@dataclass(frozen=True, slots=True)
class SecretsCheck:
    """Result of `pullrisk secrets check` for one stage; holds no value."""

    stage: str
    source: str
    readings: tuple[SecretState, ...]
    reach: tuple[PathAccess, ...] = ()
    token_seconds: float | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of secrets that the stage needs and that are absent."""
        return tuple(each.name for each in self.readings if each.state == "missing")

    @property
    def too_wide(self) -> tuple[str, ...]:
        """Paths of other stages that this stage can read and must not."""
        return tuple(each.path for each in self.reach if each.readable and not each.own)


def check(
    stage: str,
    in_settings: Mapping[str, SecretStr] | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
) -> SecretsCheck:
    """Read a stage's secrets once, from its source. Raises SettingsError, SecretsError.

    Without Vault they are in the settings, `in_settings`, or in the usual variables; inside
    Kubernetes only if `allow_local`.
    """
    needs = needs_of(stage)
    environment = os.environ if environment is None else environment
    config = vault_config(environment, stage)
    if config is not None:
        return _check_vault(stage, config)
    if environment.get(IN_KUBERNETES) and not allow_local:
        raise SettingsError(
            "this runs inside Kubernetes and VAULT_ADDR is not set",
            hint="set VAULT_ADDR, or PULLRISK_ALLOW_LOCAL_SECRETS=true to take secrets from "
            "the settings and the environment",
        )
    values = dict(_local_values(needs, in_settings or {}, environment))
    mask_credentials(values)
    return SecretsCheck(stage, "settings and environment", _readings(needs, values))


def _local_values(
    needs: Needs, in_settings: Mapping[str, SecretStr], environment: Mapping[str, str]
) -> Iterator[tuple[str, SecretStr]]:
    """What the settings hold, and of the rest what stands in the usual variables."""
    for name in needs.names:
        variables = (environment.get(each) for each in SECRETS[name].variables)
        if name in in_settings:
            yield name, in_settings[name]
        elif value := next((each for each in variables if each), None):
            yield name, SecretStr(value)


def _check_vault(stage: str, config: VaultConfig) -> SecretsCheck:
    session = VaultSession(config)
    try:
        session.login()
        values = session.read()
        own_path = f"{config.mount}/data/{config.path}"
        paths = dict.fromkeys(
            (own_path, *(f"{config.mount}/data/{PREFIX}/{name}" for name in STAGES))
        )
        readable = session.readable(paths)
        token_seconds = session.token_left()
    finally:
        session.close()
    reach = tuple(PathAccess(path, can, path == own_path) for path, can in readable.items())
    source = f"{config.address} {config.mount}/{config.path} as {config.role}"
    readings = _readings(needs_of(stage), values)
    return SecretsCheck(stage, source, readings, reach, token_seconds=token_seconds)


def _readings(needs: Needs, values: Mapping[str, SecretStr]) -> tuple[SecretState, ...]:
    missing = needs.missing(values)
    return tuple(
        SecretState(n, _state(n, values, missing), SECRETS[n].sentence) for n in needs.names
    )


def _state(name: str, values: Iterable[str], missing: Iterable[str]) -> State:
    if name in values:
        return "readable"
    return "missing" if name in missing else "absent"
