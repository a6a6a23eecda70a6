"""Checks what a stage can and cannot read, without showing any value."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from pullrisk.errors import SettingsError
from pullrisk.redaction import REDACTOR
from pullrisk.secrets.config import PREFIX, VaultConfig, vault_config
from pullrisk.secrets.names import SECRETS, STAGES, Needs, mask_credentials, needs_of
from pullrisk.secrets.session import VaultSession
from pullrisk.secrets.source import IN_KUBERNETES

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
    """Read a stage's secrets once, from its source. Raises SettingsError, SecretsError.

    Without Vault they are in the settings, `given`, or in the usual variables; inside Kubernetes
    only if `allow_local`.
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
    values = dict(_local_values(needs, given or {}, environment))
    mask_credentials(values, REDACTOR)
    return Checked(stage, "settings and environment", _readings(needs, values))


def _local_values(
    needs: Needs, given: Mapping[str, SecretStr], environment: Mapping[str, str]
) -> Iterator[tuple[str, SecretStr]]:
    """What the settings hold, and of the rest what stands in the usual variables."""
    for name in needs.names:
        variables = (environment.get(each) for each in SECRETS[name].variables)
        if name in given:
            yield name, given[name]
        elif value := next((each for each in variables if each), None):
            yield name, SecretStr(value)


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
