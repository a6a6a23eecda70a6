"""Which GitHub to ask, and with which credentials: read from what a person configured."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import stamina.instrumentation

from pullrisk.errors import SettingsError
from pullrisk.fetch.github.endpoint import GITHUB, Endpoint, endpoint

VARIABLES: Final = ("GITHUB_TOKEN", "GH_TOKEN")
"""Environment variables that usually hold a token, the first that is set wins."""
SERVERS: Final = ("GITHUB_API_URL", "GITHUB_SERVER_URL", "GH_HOST")
"""Environment variables that name the server of those tokens."""
GH_SECONDS: Final = 5.0
"""How long to wait for the gh program."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One GitHub and the credentials for it: tokens, a GitHub App, or both, each with a budget.

    `app_key` is the App's private key (PEM). An empty `app_installations` means all of them.
    Tests set `pace`, a factor of every wait, and `transport`, which replaces the network.
    """

    url: str = GITHUB
    tokens: tuple[str, ...] = ()
    app_id: str | None = None
    app_key: str | None = None
    app_installations: tuple[int, ...] = ()
    pace: float = 1.0
    transport: httpx.AsyncBaseTransport | None = None

    def __repr__(self) -> str:
        return f"Access({self.url}, {len(self.tokens)} tokens, App {self.app_id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The fields that rich may print: none of the secrets."""
        return [("url", self.url), ("tokens", len(self.tokens)), ("app_id", self.app_id)]


def access_from(
    *,
    url: str = GITHUB,
    token: str | None = None,
    app_id: str | None = None,
    app_key: str | None = None,
    installations: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Access:
    """Read the settings: tokens and installations are separated by commas, the App's key is PEM
    or the path of a PEM file.

    If neither a token nor an App is set, a token is taken from the variables GITHUB_TOKEN and
    GH_TOKEN or from the gh program. No credential at all is not an error here. Raises
    SettingsError for a value that cannot be used.
    """
    server = endpoint(url)
    if bool(app_id) != bool(app_key):
        raise SettingsError(
            "a GitHub App needs both github_app_id and github_app_key",
            hint="the App's settings page on GitHub shows both",
        )
    # stamina's own hook writes to standard output, which is for results.
    stamina.instrumentation.set_on_retry_hooks(())
    if token is None and app_id is None:
        environment = os.environ if environment is None else environment
        token = _from_variables(environment, server) or _from_gh(server)
        if token is None:
            _refuse_foreign_tokens(environment, server)
    return Access(
        url=url,
        tokens=_split(token),
        app_id=app_id,
        app_key=_pem(app_key) if app_key else None,
        app_installations=_numbers(_split(installations)),
    )


def _from_variables(environment: Mapping[str, str], server: Endpoint) -> str | None:
    if server.host not in _hosts_of_variables(environment):
        return None
    return next((environment[name] for name in VARIABLES if environment.get(name)), None)


def _hosts_of_variables(environment: Mapping[str, str]) -> set[str]:
    """The servers that the usual variables' tokens are for: as Actions says, else github.com."""
    named = [environment[name] for name in SERVERS if environment.get(name)]
    return {endpoint(url).host for url in named or [GITHUB]}


def _refuse_foreign_tokens(environment: Mapping[str, str], server: Endpoint) -> None:
    """Tell why a token that is there is not used. Raises SettingsError."""
    held = [name for name in VARIABLES if environment.get(name)]
    if held:
        hosts = ", ".join(sorted(_hosts_of_variables(environment)))
        raise SettingsError(
            f"{held[0]} holds a token for {hosts}, which is not sent to {server.host}",
            hint="set PULLRISK_GITHUB_TOKEN to a token for that server",
        )


def _from_gh(server: Endpoint) -> str | None:
    """The token that the gh program stores for this server, or None."""
    program = shutil.which("gh")
    if program is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 (the user's own gh, fixed arguments)
            [program, "auth", "token", "--hostname", server.host.partition(":")[0]],
            capture_output=True,
            text=True,
            timeout=GH_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _split(text: str | None) -> tuple[str, ...]:
    parts = (part.strip() for part in (text or "").split(","))
    return tuple(part for part in parts if part)


def _numbers(texts: tuple[str, ...]) -> tuple[int, ...]:
    if not all(text.isdecimal() for text in texts):
        raise SettingsError(
            "github_app_installation_id is not a number",
            hint="it is the number at the end of the installation's address on GitHub",
        )
    return tuple(map(int, texts))


def _pem(key: str) -> str:
    """The key itself; if `key` is a path, the content of that file."""
    if key.lstrip().startswith("-----BEGIN"):
        return key
    try:
        return Path(key).expanduser().read_text()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
        raise SettingsError(
            f"github_app_key cannot be read: {reason}",
            hint="it has to be a PEM private key, or the path of its file",
        ) from None
