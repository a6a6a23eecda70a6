"""The addresses of one GitHub: github.com, Enterprise Cloud, or an Enterprise Server."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from pullrisk.errors import SettingsError

GITHUB: Final = "https://github.com"
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PATHS: Final = ("", "/api", "/api/v3", "/api/graphql", "/graphql")


class Endpoint(msgspec.Struct, frozen=True):
    """The addresses of both APIs of one GitHub, and the one below which repositories lie (`web`).

    `host` is part of the key of its checkpoints.
    """

    host: str
    graphql: str
    rest: str
    web: str


def endpoint(url: str = GITHUB) -> Endpoint:
    """The API addresses for the server's address, which may end with the path of an API.

    Raises SettingsError, whose message never shows a password from the address.
    """
    parts = _checked(url)
    host = parts.netloc.lower()
    if host in ("github.com", "api.github.com", "www.github.com"):
        api = "https://api.github.com"
        return Endpoint("github.com", f"{api}/graphql", api, GITHUB)
    if host.endswith(".ghe.com"):  # Enterprise Cloud with its own data residency
        host = host.removeprefix("api.")
        api = f"https://api.{host}"
        return Endpoint(host, f"{api}/graphql", api, f"https://{host}")
    root = f"{parts.scheme}://{host}"
    return Endpoint(host, f"{root}/api/graphql", f"{root}/api/v3", root)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if not port_is_fine or not parts.hostname or parts.path.rstrip("/") not in _PATHS:
        raise _refusal("is no address of a GitHub server")
    if parts.username or parts.password:
        raise _refusal("holds a user name or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise _refusal("would send the token unencrypted: only https:// is accepted")
    return parts


def _refusal(what: str) -> SettingsError:
    return SettingsError(
        f"github_url {what}",
        hint="expected https://github.example.com; the token has its own setting, github_token",
    )
