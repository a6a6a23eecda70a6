"""The git program, run on a repository that is not trusted."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final

from pullrisk.errors import InputError

# Nothing that the repository's own configuration says may run a program or reach a network;
# an empty list of allowed protocols also stops a partial clone from fetching what it lacks.
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_OPTIONS: Final = (
    "--no-pager",
    *("-c", "core.fsmonitor="),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "diff.renameLimit=1000"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
    *("-c", "log.diffMerges=separate"),
    *("-c", "log.showRoot=true"),
)
_CHUNK: Final = 2**18
_GITHUB: Final = re.compile(
    r"(?:https?://(?:[^/@]*@)?github\.com(?::\d+)?/|ssh://(?:[^/@]*@)?(?:ssh\.)?github\.com(?::\d+)?/"
    r"|git://github\.com/|(?:[^/@:]+@)?github\.com:)/?([\w.-]+/[\w.-]+?)(?:\.git)?/?$",
    re.IGNORECASE | re.ASCII,
)


class Git:
    """Runs git in one repository; every failure is an InputError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise InputError(f"{path} is no folder", hint="name the folder of a local clone")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            **_ENVIRONMENT,
            # A folder inside some other repository is not that repository.
            "GIT_CEILING_DIRECTORIES": str(path.resolve().parent),
        }
        if self.ask("rev-parse", "--git-dir") is None:
            raise InputError(
                f"{path} is no git repository: {self._complaint}",
                hint="name the top folder of a local clone, or a bare repository",
            )

    def ask(self, *arguments: str) -> str | None:
        """The answer of a short command, without the last line's end; None if it failed."""
        with self._started(arguments) as (process, complaints):
            answer = process.stdout.read() if process.stdout else b""
            failed = process.wait() != 0
            self._complaint = _complaint(complaints)
        return None if failed else answer.decode(errors="replace").rstrip("\n")

    def head(self, ref: str) -> str:
        """The commit that `ref` names."""
        commit = self.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        if commit is None:
            raise InputError(
                f"{self.path}: there is no commit at {ref}",
                hint="is the repository empty? name an existing branch with --ref",
            )
        return commit

    def is_shallow(self) -> bool:
        """Whether older history was cut off."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"

    def is_partial(self) -> bool:
        """Whether some objects were left on the server (`--filter`)."""
        return (
            self.ask("config", "--get-regexp", r"^(extensions|remote\..*)\.(partialclone|promisor)")
            is not None
        )

    def count(self, *revisions: str) -> int:
        """How many commits `git rev-list` lists."""
        return int(self.ask("rev-list", "--count", *revisions, "--") or 0)

    def github_name(self) -> str | None:
        """`owner/name` of the clone's origin, if that is on github.com."""
        found = _GITHUB.match(self.ask("config", "--get", "remote.origin.url") or "")
        return found[1] if found else None

    def log(self, *arguments: str) -> Iterator[bytes]:
        """`git log -z`, streamed as the tokens between its NULs.

        Raises InputError when git fails; tokens before that may be incomplete as a whole.
        """
        options = ("log", "-z", "--no-color", "--no-show-signature", "--no-mailmap", *arguments)
        with self._started(options) as (process, complaints):
            assert process.stdout is not None  # noqa: S101
            yield from _tokens(process.stdout)
            if process.wait():
                raise InputError(
                    f"{self.path}: git log failed: {_complaint(complaints)}",
                    hint=f"try: git -C {self.path} fsck",
                )

    @contextmanager
    def _started(
        self, arguments: tuple[str, ...]
    ) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
        """The process and the file that takes its complaints; it is dead on leaving."""
        with tempfile.TemporaryFile() as complaints:
            try:
                process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                    ["git", *_OPTIONS, "-C", str(self.path), *arguments],  # noqa: S607 (from PATH)
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    env=self._environment,
                )
            except FileNotFoundError as error:
                raise InputError(
                    "the git program is not installed", hint="install git, or use --file"
                ) from error
            with process:
                try:
                    yield process, complaints
                finally:
                    process.kill()


def _tokens(stdout: IO[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    while data := stdout.read(_CHUNK):
        head, *tokens = data.split(b"\x00")
        pieces.append(head)
        if tokens:
            yield b"".join(pieces)
            yield from tokens[:-1]
            pieces = [tokens[-1]]
    if last := b"".join(pieces):
        yield last


def _complaint(complaints: BinaryIO) -> str:
    complaints.seek(0)
    lines = complaints.read(65_536).decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "it gave no reason"
