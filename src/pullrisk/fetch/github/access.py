"""Where to ask, and as whom: made from what a person has configured."""

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
"""Where a token usually stands, in this order."""
GH_SECONDS: Final = 5.0
"""How long the gh program may take to tell its token."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where, and as whom. Tokens and an App may stand together, each with its own budget.

    `app_key` is the App's private key, PEM; `app_installations` are all of them unless named.
    `pace` multiplies every wait and `transport` stands in for the network; both are for tests.
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
        """What rich shows of it: no secret."""
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
    """Access from settings as people write them: several tokens or installations stand with
    commas between, the App's key is PEM or a path.

    Where neither token nor App is set, the usual variables and the gh program are asked. Finding
    nothing is no error here. Raises SettingsError.
    """
    where = endpoint(url)
    if bool(app_id) != bool(app_key):
        raise SettingsError(
            "a GitHub App needs both github_app_id and github_app_key",
            hint="both stand in the App's settings on GitHub",
        )
    # stamina's own hook writes to standard output, which is for results.
    stamina.instrumentation.set_on_retry_hooks(())
    if token is None and app_id is None:
        token = _usual(os.environ if environment is None else environment) or _from_gh(where)
    return Access(
        url=url,
        tokens=_several(token),
        app_id=app_id,
        app_key=_pem(app_key) if app_key else None,
        app_installations=_numbers(_several(installations)),
    )


def _usual(environment: Mapping[str, str]) -> str | None:
    return next((environment[name] for name in VARIABLES if environment.get(name)), None)


def _from_gh(where: Endpoint) -> str | None:
    """The token that the gh program holds for this server, None without it."""
    program = shutil.which("gh")
    if program is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 (the user's own gh, fixed arguments)
            [program, "auth", "token", "--hostname", where.host.partition(":")[0]],
            capture_output=True,
            text=True,
            timeout=GH_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None


def _several(text: str | None) -> tuple[str, ...]:
    parts = (part.strip() for part in (text or "").split(","))
    return tuple(part for part in parts if part)


def _numbers(texts: tuple[str, ...]) -> tuple[int, ...]:
    if not all(text.isdecimal() for text in texts):
        raise SettingsError(
            "github_app_installation_id is no number",
            hint="it is the number at the end of the installation's address on GitHub",
        )
    return tuple(map(int, texts))


def _pem(key: str) -> str:
    """The key itself, read from its file where a path is given."""
    if key.lstrip().startswith("-----BEGIN"):
        return key
    try:
        return Path(key).expanduser().read_text()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise SettingsError(
            f"github_app_key cannot be read: {reason}",
            hint="it has to be a PEM private key, or the path of its file",
        ) from None
