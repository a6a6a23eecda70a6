"""Fetches what a checkout lacks: the rest of its history, a branch, the commits of a pull."""

import re
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from pullrisk.errors import InputError
from pullrisk.fetch.git.program import Git

SECONDS: Final = 600.0
_FETCH: Final = (
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"),
    *("--no-write-fetch-head", "--upload-pack=git-upload-pack"),
)
_SAFE_REF: Final = re.compile(r"(?!-)[^\x00-\x20~^:?*\[\\\x7f\ud800-\udfff]{1,512}")
_SECRET: Final = re.compile(r"(://)[^/@\s]*@")


def deepen(git: Git, refs: Sequence[str], *, server: str, token: str | None) -> None:
    """Fetch refs of the remote `origin`, and all older commits if the clone is shallow.

    A ref is a full name, which is stored under it (branches as those of origin), or a commit's
    sha. The token is sent to `server` only. Raises InputError with what git said.
    """
    if not all(map(_SAFE_REF.fullmatch, refs)):
        raise InputError(f"{git.path}: a branch has a name that cannot be fetched")
    depth = ("--unshallow",) if git.is_shallow() else ()
    command = git.command(*_FETCH, *depth, "origin", *map(_refspec, refs))
    try:
        done = subprocess.run(  # noqa: S603 (a list, no shell)
            command,
            env={**git.environment, **_network(server, token)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{git.path}: git fetch took more than {SECONDS:.0f} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        reason = _SECRET.sub(r"\1", lines[0])[:300]
        raise InputError(f"{git.path}: git fetch failed: {reason}")


def _refspec(ref: str) -> str:
    branch = ref.removeprefix("refs/heads/")
    if branch != ref:
        return f"+{ref}:refs/remotes/origin/{branch}"
    return f"+{ref}:{ref}" if ref.startswith("refs/") else ref


def _network(server: str, token: str | None) -> dict[str, str]:
    """The variables that let git fetch, and no other program run; the token is in no argument."""
    pairs = [("core.sshCommand", "false"), ("credential.helper", "")]
    if token:
        login = b64encode(f"x-access-token:{token}".encode()).decode()
        key = f"http.{server.rstrip('/')}/.extraheader"
        pairs += [(key, ""), (key, f"AUTHORIZATION: basic {login}")]  # instead of one kept there
    variables = {"GIT_ALLOW_PROTOCOL": "https:http:file", "GIT_CONFIG_COUNT": str(len(pairs))}
    for place, (key, value) in enumerate(pairs):
        variables |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return variables
