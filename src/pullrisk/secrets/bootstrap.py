"""Brings a Vault to what `vault/` says, changing only what differs, and loads secrets into it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.secrets.admin import Admin, same
from pullrisk.secrets.folder import Wanted

Action = Literal["create", "update", "unchanged", "skip"]
PREFIX: Final = "mlops"
"""Folder of the stages' secrets below `secret/`."""
_WRITE_ONLY: Final = frozenset({"token_reviewer_jwt"})
"""What Vault takes and never tells."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing in Vault and what was done, or with a dry run would be done, about it."""

    kind: str
    name: str
    action: Action
    note: str = ""


Loaded = Mapping[str, Mapping[str, SecretStr]]
"""Secrets to load: stage → name → value."""


def bootstrap(admin: Admin, wanted: Wanted, loaded: Loaded, *, dry_run: bool = False) -> list[Step]:
    """Install what is wanted and load the secrets; run again, it finds everything unchanged.

    Raises SecretsError where Vault refuses, or where an engine of another kind is in the way.
    """
    installer = _Installer(admin, dry_run=dry_run)
    return [
        *(installer.engine(path, spec) for path, spec in wanted.engines.items()),
        *(installer.auth(path, spec) for path, spec in wanted.auths.items()),
        *(installer.auth_config(path, spec) for path, spec in wanted.auths.items()),
        *(installer.policy(name, text) for name, text in wanted.policies.items()),
        *(installer.role(name, role) for name, role in wanted.roles.items()),
        *(Step("role", name, "skip", "an option is not given") for name in wanted.skipped),
        *(installer.secret(stage, values) for stage, values in loaded.items() if values),
    ]


class _Installer:
    def __init__(self, admin: Admin, *, dry_run: bool) -> None:
        self._admin, self._dry_run = admin, dry_run
        self._engines = admin.engines()
        self._auths = admin.auths()

    def engine(self, path: str, spec: Mapping[str, Any]) -> Step:
        """A secret engine."""
        there = self._engines.get(f"{path}/")
        if there is None:
            self._do(lambda: self._admin.enable_engine(path, spec))
            return Step("engine", path, "create")
        _refuse_other(path, spec, there)
        return Step("engine", path, "unchanged")

    def auth(self, path: str, spec: Mapping[str, Any]) -> Step:
        """An auth method."""
        there = self._auths.get(f"{path}/")
        if there is None:
            self._do(lambda: self._admin.enable_auth(path, spec["type"]))
            return Step("auth", path, "create")
        _refuse_other(f"auth/{path}", spec, there)
        return Step("auth", path, "unchanged")

    def auth_config(self, path: str, spec: Mapping[str, Any]) -> Step:
        """The configuration of an auth method."""
        return self._settle("auth config", path, f"auth/{path}/config", spec["config"])

    def policy(self, name: str, text: str) -> Step:
        """A policy."""
        there = self._admin.policy(name)
        if there is not None and there.strip() == text.strip():
            return Step("policy", name, "unchanged")
        self._do(lambda: self._admin.write_policy(name, text))
        return Step("policy", name, "create" if there is None else "update")

    def role(self, name: str, wanted: Mapping[str, Any]) -> Step:
        """A role of an auth method."""
        auth, _, role = name.partition("/")
        return self._settle("role", name, f"auth/{auth}/role/{role}", wanted)

    def secret(self, stage: str, values: Mapping[str, SecretStr]) -> Step:
        """A stage's secrets: those given replace those there, the others stay."""
        path = f"{PREFIX}/{stage}"
        there, version = self._admin.secret(path)
        merged = there | {name: value.get_secret_value() for name, value in values.items()}
        names = ", ".join(values)
        if merged == there:
            return Step("secret", path, "unchanged", names)
        self._do(lambda: _once_upgraded(lambda: self._admin.write_secret(path, merged, version)))
        return Step("secret", path, "update" if version else "create", names)

    def _settle(self, kind: str, name: str, path: str, wanted: Mapping[str, Any]) -> Step:
        there = self._admin.read(path)
        visible = {key: value for key, value in wanted.items() if key not in _WRITE_ONLY}
        if there is not None and same(visible, there):
            return Step(kind, name, "unchanged")
        self._do(lambda: self._admin.write(path, wanted))
        return Step(kind, name, "create" if there is None else "update")

    def _do(self, work: Callable[[], None]) -> None:
        if not self._dry_run:
            work()


def _refuse_other(path: str, spec: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """An engine of another kind at that path holds somebody's data: leave it alone."""
    options = spec.get("options", {})
    found = {key: (there.get("options") or {}).get(key) for key in options}
    if there["type"] == spec["type"] and found == options:
        return
    raise SecretsError(
        f"{path}/ in Vault is of type {there['type']} {found or ''}, not {spec['type']} {options}",
        hint="mount it elsewhere, or upgrade KV version 1: bao kv enable-versioning secret",
    )


def _once_upgraded(work: Callable[[], None], *, tries: int = 40) -> None:
    """A KV engine that was just enabled refuses writes for a moment while it sets itself up."""
    for left in reversed(range(tries)):
        try:
            work()
        except SecretsError as fault:
            if not left or "upgrading" not in str(fault).lower():
                raise
            time.sleep(0.25)
        else:
            return
