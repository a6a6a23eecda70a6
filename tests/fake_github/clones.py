"""Clones from the fake GitHub: `git http-backend` behind the tokens of its accounts."""

import base64
import os
import subprocess
from pathlib import Path

from fake_github.accounts import Accounts

USER = "x-access-token"


def token_of(authorization: str) -> str | None:
    """The password of Basic authorization with the user name that GitHub takes for tokens."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    user, _, password = base64.b64decode(value).decode().partition(":")
    return password if user == USER else None


def clone_answer(
    folder: Path,
    accounts: Accounts,
    *,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request for folder/owner/name.git."""
    token = token_of(headers.get("authorization", ""))
    if token is None or accounts.of(f"bearer {token}") is None:
        return 401, {"www-authenticate": 'Basic realm="GitHub"'}, b"Invalid username or token."
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, capture_output=True, env=environment, check=True
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(fields.pop("Status", "200").split(" ")[0])
    return status, {name.lower(): value for name, value in fields.items()}, content
