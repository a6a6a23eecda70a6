"""Logging in to a registry with what `docker login` stored, by Basic or Bearer tokens."""

import base64
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Final

import httpx

from delivery.errors import InputError

_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_TIMEOUT: Final = 60.0


def docker_login(host: str) -> tuple[str, str] | None:
    """User name and password that `docker login` stored for the host; None if there are none."""
    folder = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    try:
        stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        encoded = stored["auths"][host]["auth"]
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except FileNotFoundError:
        return None
    except KeyError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{folder / 'config.json'} cannot be read: {error}") from None
    return user, password


class RegistryAuth(httpx.Auth):
    """Basic or Bearer authentication, whichever the registry asks for."""

    def __init__(self, login: tuple[str, str] | None) -> None:
        self._login = login
        self._header: dict[str, str] = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with the header that last worked; answer the challenge of a 401 once."""
        scope = _scope(request)
        if known := self._header.get(scope):
            request.headers["Authorization"] = known
        answer = yield request
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return
        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        if kind.lower() == "bearer":
            asked = dict(_CHALLENGE.findall(rest))
            token = yield self._token_request(asked)
            if token.status_code != httpx.codes.OK:
                return
            token.read()
            found = token.json()
            self._header[scope] = f"Bearer {found.get('token') or found.get('access_token')}"
        elif kind.lower() == "basic" and self._login:
            self._header[scope] = _basic(self._login)
        else:
            return
        request.headers["Authorization"] = self._header[scope]
        yield request

    def _token_request(self, asked: dict[str, str]) -> httpx.Request:
        headers = {"Authorization": _basic(self._login)} if self._login else {}
        known = {name: value for name, value in asked.items() if name in {"service", "scope"}}
        return httpx.Request("GET", asked.get("realm", ""), params=known, headers=headers)


def _scope(request: httpx.Request) -> str:
    """A token for reading does not serve for writing."""
    return "pull" if request.method in {"GET", "HEAD"} else "push"


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
