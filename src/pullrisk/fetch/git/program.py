"""Run the git program on a repository that is not trusted."""

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
    *("-c", "mailmap.file="),
)
_CHUNK: Final = 2**18
_GITHUB: Final = re.compile(
    r"(?:https?://(?:[^/@]*@)?github\.com(?::\d+)?/|ssh://(?:[^/@]*@)?(?:ssh\.)?github\.com(?::\d+)?/"
    r"|git://github\.com/|(?:[^/@:]+@)?github\.com:)/?([\w.-]+/[\w.-]+?)(?:\.git)?/?$",
    re.IGNORECASE | re.ASCII,
)


class Git:
    """Runs git in one repository. Raises InputError, which names the repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise InputError(f"{path} is not a folder", hint="name the folder of a local clone")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            **_ENVIRONMENT,
            # A folder inside some other repository is not that repository.
            "GIT_CEILING_DIRECTORIES": str(path.resolve().parent),
        }
        self._mailmap: tuple[str, ...] = ()
        if self.ask("rev-parse", "--git-dir") is None:
            raise InputError(
                f"{path} is not a git repository: {self._error}",
                hint="name the top folder of a local clone, or a bare repository",
            )

    def ask(self, *arguments: str) -> str | None:
        """The output of a short command without the last line end, or None if it failed."""
        with self._started(arguments) as (process, errors):
            answer = process.stdout.read() if process.stdout else b""
            failed = process.wait() != 0
            self._error = _first_line(errors)
        return None if failed else answer.decode(errors="replace").rstrip("\n")

    def head(self, ref: str) -> str:
        """The sha of the commit that `ref` names. Raises InputError if there is none."""
        commit = self.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        if commit is None:
            raise InputError(
                f"{self.path}: there is no commit at {ref}",
                hint="is the repository empty? name an existing branch with --ref",
            )
        return commit

    def use_mailmap(self, commit: str) -> None:
        """Let names and addresses of authors be those of the commit's .mailmap, if it has one."""
        self._mailmap = ("-c", f"mailmap.blob={commit}:.mailmap")

    def is_shallow(self) -> bool:
        """Whether older history was cut off."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"

    def is_partial(self) -> bool:
        """Whether the clone lacks some objects (it was made with `--filter`)."""
        return (
            self.ask("config", "--get-regexp", r"^(extensions|remote\..*)\.(partialclone|promisor)")
            is not None
        )

    def count(self, *revisions: str) -> int:
        """How many commits `git rev-list` lists for the revisions."""
        return int(self.ask("rev-list", "--count", *revisions, "--") or 0)

    def github_name(self) -> str | None:
        """`owner/name` of the clone's origin, or None if that is not on github.com."""
        match = _GITHUB.match(self.ask("config", "--get", "remote.origin.url") or "")
        return match[1] if match else None

    def log(self, *arguments: str) -> Iterator[bytes]:
        """The output of `git log -z` as a stream of the tokens between its NUL bytes.

        Raises InputError if git fails, after the tokens that it has written.
        """
        options = ("log", "-z", "--no-color", "--no-show-signature", "--no-mailmap", *arguments)
        with self._started(options) as (process, errors):
            assert process.stdout is not None  # noqa: S101
            yield from _tokens(process.stdout)
            if process.wait():
                raise InputError(
                    f"{self.path}: git log failed: {_first_line(errors)}",
                    hint=f"try: git -C {self.path} fsck",
                )

    @contextmanager
    def _started(
        self, arguments: tuple[str, ...]
    ) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
        """The process and the file with its standard error; it is killed at the end."""
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                    ["git", *_OPTIONS, *self._mailmap, "-C", str(self.path), *arguments],  # noqa: S607 (from PATH)
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self._environment,
                )
            except FileNotFoundError as error:
                raise InputError(
                    "the git program is not installed", hint="install git, or use --file"
                ) from error
            with process:
                try:
                    yield process, errors
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


def _first_line(errors: BinaryIO) -> str:
    errors.seek(0)
    lines = errors.read(65_536).decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "it gave no reason"
