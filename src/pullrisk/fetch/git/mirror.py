"""A bare clone of a repository on GitHub, which pullrisk keeps and brings up to date itself.

The token reaches git by its environment and a credential helper that reads it there: it stands in
no address, no process list and no configuration, and goes to no server but the one it is for.
Whoever holds the lock of the folder is alone in it, git too, so what a killed run left behind
(locks, half a pack) is nobody's and is deleted.
"""

import os
import re
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec

from pullrisk.atomic import make_folder
from pullrisk.errors import is_full
from pullrisk.file_lock import FileLock

_TOKEN: Final = "PULLRISK_CLONE_TOKEN"  # noqa: S105  (a variable's name)
_HELPER: Final = (
    '!f() { test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" '
    f'"${_TOKEN}"; }}; f'
)
_OPTIONS: Final = (
    *("-c", "credential.helper="),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"),
    # Housekeeping in the background would outlive this process and the lock.
    *("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"),
)
_NOT_PASSED_ON: Final = re.compile(r"GIT_|SSH_ASKPASS$|PULLRISK_|GITHUB_TOKEN$|GH_TOKEN$")
_BRANCH: Final = re.compile(r"^ref: refs/heads/(\S+)\tHEAD$", re.MULTILINE)
_LISTED: Final = re.compile(r"^([0-9a-f]{40,64})\t(refs/\S+)$", re.MULTILINE)
_FATAL: Final = re.compile(r"^(?:fatal|error): (.+)$", re.MULTILINE)
_LEFT_BEHIND: Final = ("**/*.lock", "objects/**/tmp_*")


class CloneError(Exception):
    """The clone cannot be brought up to date; the message says why."""


class Updated(msgspec.Struct, frozen=True):
    """The default branch after an update; `rewritten` if it does not go on from what it was."""

    branch: str
    rewritten: bool = False


class Mirror:
    """The clone in `folder`, which is made when it is missing. Use `Mirror.locked`."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.folder = folder
        # If this process is killed, git still holds the lock; Windows cannot pass it on.
        self._inherited = () if os.name == "nt" else (lock.descriptor,)

    @classmethod
    @contextmanager
    def locked(cls, folder: Path) -> Iterator[Self]:
        """The clone, alone; raises CloneError where somebody else is at it, or nothing can be
        written.
        """
        with _translate_errors():
            make_folder(folder.parent)
            lock = FileLock(f"{folder}.lock")
        with lock:
            if not lock.take():
                raise CloneError("another process is bringing its clone up to date")
            yield cls(folder, lock)

    def update(
        self, url: str, tokens: Sequence[str], *, heads: Collection[int], bases: Collection[str]
    ) -> Updated | None:
        """Fetch the default branch, the heads of these pulls, and the branches `bases`.

        Of several tokens the first counts that may read the repository. Returns None for a
        repository without commits. Raises CloneError.
        """
        with _translate_errors():
            self._prepare()
        token, listed = self._list(url, tokens, pulls=bool(heads))
        branch = _BRANCH.search(listed)
        remote = {ref: sha for sha, ref in _LISTED.findall(listed)}
        if branch is None or f"refs/heads/{branch[1]}" not in remote:
            return None
        default = f"refs/heads/{branch[1]}"
        refs = {default, *(f"refs/heads/{base}" for base in bases)}
        refs |= {f"refs/pull/{number}/head" for number in heads}
        before = self._refs()
        self._forget(ref for ref in before if ref not in refs)
        new = [ref for ref in refs if ref in remote and before.get(ref) != remote[ref]]
        if new:
            specs = "".join(f"+{ref}:{ref}\n" for ref in sorted(new))
            command = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin", url)
            self._git(*command, url=url, token=token, stdin=specs)
        self._git("symbolic-ref", "HEAD", default)
        old = before.get(default)
        return Updated(branch[1], rewritten=old is not None and not self._descends(default, old))

    def _prepare(self) -> None:
        make_folder(self.folder)
        for pattern in _LEFT_BEHIND:
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)
        if not (self.folder / "config").exists() or not (self.folder / "HEAD").exists():
            self._git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", ".")

    def _list(self, url: str, tokens: Sequence[str], *, pulls: bool) -> tuple[str | None, str]:
        """A token that may read the repository, and the refs that it has there."""
        patterns = ("HEAD", "refs/heads/*", *(("refs/pull/*/head",) if pulls else ()))
        refusal = CloneError("there is no token")
        for token in tokens or (None,):
            try:
                return token, self._git(
                    "ls-remote", "--symref", url, *patterns, url=url, token=token
                )
            except CloneError as error:
                refusal = error
        raise refusal

    def _refs(self) -> dict[str, str]:
        listed = self._git("for-each-ref", "--format=%(objectname)%09%(refname)")
        return {ref: sha for sha, ref in _LISTED.findall(listed)}

    def _forget(self, refs: Iterator[str]) -> None:
        """Delete what nobody asks for any more: a new branch may be named like a part of it."""
        commands = "".join(f"delete {ref}\n" for ref in refs)
        if commands:
            self._git("update-ref", "--stdin", stdin=commands)

    def _descends(self, ref: str, commit: str) -> bool:
        with suppress(CloneError):
            self._git("merge-base", "--is-ancestor", commit, ref)
            return True
        return False

    def _git(
        self, *arguments: str, url: str | None = None, token: str | None = None, stdin: str = ""
    ) -> str:
        """Run git and return its output; with `url` it may reach that server. Raises CloneError."""
        command = ["git", *_OPTIONS, *_credential(url), "-C", str(self.folder), *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(url, token),
                pass_fds=self._inherited,
            )
        except FileNotFoundError:
            raise CloneError("the git program is not installed") from None
        with process:
            try:
                output, errors = process.communicate(stdin.encode())
            finally:
                process.terminate()  # git deletes what it has half written
        if process.returncode:
            raise CloneError(_reason(errors.decode(errors="replace")))
        return output.decode(errors="surrogateescape")


def _credential(url: str | None) -> tuple[str, ...]:
    if url is None:
        return ()
    parts = urlsplit(url)
    return ("-c", f"credential.{parts.scheme}://{parts.netloc}.helper={_HELPER}")


def _environment(url: str | None, token: str | None) -> dict[str, str]:
    """Nothing of a person's own git settings; the authorities are those of other requests."""
    environment = {
        name: value for name, value in os.environ.items() if not _NOT_PASSED_ON.match(name)
    }
    environment |= {
        "GIT_ALLOW_PROTOCOL": urlsplit(url).scheme if url else "none",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    if authorities := os.environ.get("SSL_CERT_FILE"):
        environment["GIT_SSL_CAINFO"] = authorities
    if token is not None:
        environment[_TOKEN] = token
    return environment


def _reason(errors: str) -> str:
    if "No space left on device" in errors or "Disk quota exceeded" in errors:
        return "the disk is full"
    if re.search(r"Authentication failed|could not read Username|error: 40[13]", errors):
        return "the token may not clone it (a fine-grained one needs `Contents: read`)"
    reasons = _FATAL.findall(errors)
    return f"git says: {reasons[-1] if reasons else errors.strip() or 'nothing'}"


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if is_full(error) else f"its folder cannot be written: {error}"
        raise CloneError(reason) from error
