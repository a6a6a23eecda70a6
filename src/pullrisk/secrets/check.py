"""Checks what a stage can and cannot read, without showing any value."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from pullrisk.secrets import open_secrets
from pullrisk.secrets.config import PREFIX, VaultConfig, vault_config
from pullrisk.secrets.names import SECRETS, STAGES, Needs, needs_of
from pullrisk.secrets.session import VaultSession

State = Literal["readable", "missing", "absent"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One secret: readable, missing (the stage needs it) or absent (the stage can do without)."""

    name: str
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class Reach:
    """A stage's path in Vault and whether this token may read it."""

    path: str
    readable: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of `pullrisk secrets check` for one stage; holds no value."""

    stage: str
    source: str
    readings: tuple[Reading, ...]
    reach: tuple[Reach, ...] = ()
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
    given: Mapping[str, SecretStr] | None = None,
    *,
    allow_local: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Checked:
    """Read a stage's secrets once, from its source. Raises SettingsError, SecretsError."""
    needs = needs_of(stage)
    environment = os.environ if environment is None else environment
    config = vault_config(environment, stage)
    if config is not None:
        return _check_vault(stage, config)
    secrets = open_secrets(stage, given, allow_local=allow_local, environment=environment)
    values = secrets.snapshot().values
    return Checked(stage, "settings and environment", _readings(needs, values))


def _check_vault(stage: str, config: VaultConfig) -> Checked:
    session = VaultSession(config)
    try:
        session.login()
        values = session.read()
        own = f"{config.mount}/data/{config.path}"
        paths = dict.fromkeys((own, *(f"{config.mount}/data/{PREFIX}/{name}" for name in STAGES)))
        readable = session.readable(paths)
        token_seconds = session.token_left()
    finally:
        session.close()
    reach = tuple(Reach(path, can, path == own) for path, can in readable.items())
    source = f"{config.address} {config.mount}/{config.path} as {config.role}"
    readings = _readings(needs_of(stage), values)
    return Checked(stage, source, readings, reach, token_seconds=token_seconds)


def _readings(needs: Needs, values: Mapping[str, SecretStr]) -> tuple[Reading, ...]:
    missing = needs.missing(values)
    return tuple(Reading(n, _state(n, values, missing), SECRETS[n].sentence) for n in needs.names)


def _state(name: str, values: Iterable[str], missing: Iterable[str]) -> State:
    if name in values:
        return "readable"
    return "missing" if name in missing else "absent"
