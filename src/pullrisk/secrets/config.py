"""Where Vault is, and how a stage logs in: the VAULT_* variables, in every accepted spelling."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pullrisk.errors import SettingsError

Method = Literal["kubernetes", "jwt"]
_SPELLINGS: Final[Mapping[str, Method]] = {
    "kubernetes": "kubernetes",
    "jwt": "jwt",
    "oidc": "jwt",
}
SERVICE_ACCOUNT_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
DEFAULT_MOUNT: Final = "secret"
PREFIX: Final = "mlops"
"""Folder of the stages' secrets in the KV engine."""


@dataclass(frozen=True, slots=True)
class VaultConfig:
    """How one stage reaches Vault. Holds names and paths, no credential."""

    address: str
    role: str
    path: str
    mount: str = DEFAULT_MOUNT
    method: Method = "kubernetes"
    auth_mount: str = "kubernetes"
    namespace: str | None = None
    ca_file: Path | None = None
    jwt_file: Path | None = SERVICE_ACCOUNT_TOKEN
    jwt_audience: str | None = None
    reread: float = 60.0
    """Seconds between two reads of the secrets."""
    start_seconds: float = 60.0
    """Seconds that a start waits for a Vault that is away or sealed."""
    timeout: float = 5.0
    """Seconds that one request may take."""


def vault_config(environment: Mapping[str, str], stage: str) -> VaultConfig | None:
    """The configuration for a stage; None if VAULT_ADDR is not set. Raises SettingsError."""
    address = environment.get("VAULT_ADDR", "").strip()
    if not address:
        return None
    method, auth_mount = _auth(environment)
    mount, path = secret_path(environment.get("VAULT_SECRET_PATH") or f"{PREFIX}/{stage}")
    return VaultConfig(
        address=_address(address),
        role=environment.get("VAULT_ROLE") or stage,
        mount=mount,
        path=path,
        method=method,
        auth_mount=auth_mount,
        namespace=environment.get("VAULT_NAMESPACE", "").strip("/ ") or None,
        ca_file=_ca_file(environment),
        jwt_file=_jwt_file(environment, method),
        jwt_audience=environment.get("VAULT_JWT_AUDIENCE") or None,
        reread=_seconds(environment, "VAULT_REREAD_SECONDS", 60.0),
        start_seconds=_seconds(environment, "VAULT_START_SECONDS", 60.0),
    )


def secret_path(spelling: str) -> tuple[str, str]:
    """Mount and path of `secret/data/mlops/x`, `secret/mlops/x` or `mlops/x`.

    `<mount>/data/<path>` names another mount than `secret`. Raises SettingsError.
    """
    parts = [part for part in spelling.strip().split("/") if part]
    mount = DEFAULT_MOUNT
    if len(parts) > 1 and parts[1] == "data":
        mount, parts = parts[0], parts[2:]
    elif parts and parts[0] == DEFAULT_MOUNT:
        parts = parts[1:]
    if not parts or ".." in parts:
        raise SettingsError(
            f"VAULT_SECRET_PATH is {spelling!r}, which names no secret",
            hint="write secret/data/mlops/<stage> or mlops/<stage>",
        )
    return mount, "/".join(parts)


def auth_path(spelling: str) -> str:
    """The auth method's mount in `auth/kubernetes/login`, `auth/kubernetes` or `kubernetes`."""
    mount = spelling.strip().strip("/").removeprefix("auth/").removesuffix("/login")
    if not mount or mount in ("auth", "login"):
        raise SettingsError(
            f"VAULT_PATH_AUTH is {spelling!r}, which names no auth method",
            hint="write auth/kubernetes/login, or the mount alone: kubernetes",
        )
    return mount


def _auth(environment: Mapping[str, str]) -> tuple[Method, str]:
    method = environment.get("VAULT_AUTH_METHOD", "kubernetes").strip().lower()
    if method not in _SPELLINGS:
        raise SettingsError(
            f"VAULT_AUTH_METHOD is {method!r}", hint=f"it may be: {', '.join(_SPELLINGS)}"
        )
    return _SPELLINGS[method], auth_path(environment.get("VAULT_PATH_AUTH") or _SPELLINGS[method])


def _address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            "VAULT_ADDR is not an http:// or https:// address",
            hint="write it like https://vault.example.org:8200",
        )
    if parts.username or parts.password:
        raise SettingsError(
            "VAULT_ADDR holds a user or password", hint="remove it: Vault takes tokens only"
        )
    return address.rstrip("/").removesuffix("/v1")


def _ca_file(environment: Mapping[str, str]) -> Path | None:
    path = environment.get("VAULT_CACERT")
    if not path:
        return None
    if not Path(path).is_file():
        raise SettingsError(
            f"VAULT_CACERT names {path}, which is not a file",
            hint="mount the certificate authority's PEM file there, or unset VAULT_CACERT",
        )
    return Path(path)


def _jwt_file(environment: Mapping[str, str], method: Method) -> Path | None:
    path = environment.get("VAULT_JWT_FILE")
    if path:
        return Path(path)
    return SERVICE_ACCOUNT_TOKEN if method == "kubernetes" else None


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        seconds = float(text or default)
    except ValueError:
        seconds = -1.0
    if not 0.05 <= seconds <= 86_400:
        raise SettingsError(f"{name} is {text!r}", hint="it is a number of seconds, up to 86400")
    return seconds
