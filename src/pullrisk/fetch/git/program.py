"""Run the git program on a repository that is not trusted."""

import os
import re
import shlex
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Final

from pullrisk.errors import InputError
from pullrisk.fetch.git.job import Job, LogStream, tokens
from pullrisk.repository_config.globs import NO_PATHS, PathGlobs

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
    # Larger files are binary ones, so that no file fills the memory.
    *("-c", "core.bigFileThreshold=64m"),
    *("-c", "attr.tree=refs/none"),
    *("-c", "core.fsmonitor="),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "diff.renameLimit=1000"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
    *("-c", "log.diffMerges=separate"),
    *("-c", "log.showRoot=true"),
    *("-c", "mailmap.file="),
)
_PIPE: Final = 1 << 20
"""Bytes that git may write ahead of its reader: each is quick where the other is slow."""
_GIT_FOLDER: Final = ("rev-parse", "--git-dir", "--git-common-dir")
_LOG: Final = ("log", "-z", "--no-color", "--no-show-signature", "--no-mailmap")
_DIFF: Final = ("diff-tree", "-z", "-r", "--no-color")
_DEFAULT_NAMES: Final = ("main", "master", "trunk", "devel", "develop")
"""Default branches by their usual names, for clones that do not say which it is."""
_PULL_REFS: Final = ("refs/pull", "refs/remotes")
_PULL: Final = re.compile(
    r"([0-9a-f]{40,64}) refs/(?:remotes/[^/]+/)?(?:pull|pr)/(\d{1,9})(?:/head)?$"
)
_GITHUB: Final = re.compile(
    r"(?:https?://(?:[^/@]*@)?github\.com(?::\d+)?/|ssh://(?:[^/@]*@)?(?:ssh\.)?github\.com(?::\d+)?/"
    r"|git://github\.com/|(?:[^/@:]+@)?github\.com:)/?([\w.-]+/[\w.-]+?)(?:\.git)?/?$",
    re.IGNORECASE | re.ASCII,
)


class Git:
    """Runs git in one repository. Raises InputError, which names the repository.

    `excluded` are paths that count nowhere: neither as a pull's files nor with their lines.
    """

    def __init__(self, path: Path, *, excluded: PathGlobs = NO_PATHS) -> None:
        self.path, self.excluded = path, excluded
        if not path.is_dir():
            raise InputError(f"{path} is not a folder", hint="name the folder of a local clone")
        _refuse_pipes(path / ".git" if (path / ".git").is_dir() else path, deep=False)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            **_ENVIRONMENT,
            # A folder inside some other repository is not that repository.
            "GIT_CEILING_DIRECTORIES": str(path.resolve().parent),
        }
        self._folder = path
        self._options: tuple[str, ...] = _OPTIONS
        self._mailmap: tuple[str, ...] = ()
        self._enter(self.ask(*_GIT_FOLDER) or self._insist())

    def _enter(self, folder: str) -> None:
        """From now on run git in its own folder, to which it has agreed, not in the files.

        There it does not read the `.gitattributes` of the working directory, by which a branch
        could hide its own lines from every diff, and in which a pipe would stop git for ever.
        """
        own, _, shared = folder.partition("\n")
        for each in {own, shared}:
            _refuse_pipes(self.path / each, deep=True)
        self._folder = (self.path / own).resolve()
        self._options += ("-c", f"safe.directory={self._folder.as_posix()}")

    def _insist(self) -> str:
        """Open another user's repository if git's configuration allows it, else say why not."""
        if re.search(r"dubious ownership|unsafe repository", self._errors):
            self._options = (*_OPTIONS, *self._exceptions())
            if folder := self.ask(*_GIT_FOLDER):
                return folder
            remedy = re.search(r"git config --global --add safe\.directory .+", self._errors)
            folder = shlex.quote(str(self.path.resolve()))
            raise InputError(
                f"{self.path} belongs to another user, so git does not open it",
                hint="if you trust it, run: "
                + (remedy[0] if remedy else f"git config --global --add safe.directory {folder}"),
            )
        raise InputError(
            f"{self.path} is not a git repository: {_first_line(self._errors)}",
            hint="name the top folder of a local clone, or a bare repository",
        )

    def _exceptions(self) -> Iterator[str]:
        """The list safe.directory as git itself would read it, the system's part too."""
        environment = {**self.environment}
        del environment["GIT_CONFIG_NOSYSTEM"]
        with self._started(
            ("-C", "/", "config", "-z", "--includes", "--get-all", "safe.directory"),
            environment=environment,
        ) as (process, _):
            answer = process.stdout.read() if process.stdout else b""
        for value in ("", *answer.decode(errors="surrogateescape").split("\x00")[:-1]):
            yield from ("-c", f"safe.directory={value}")

    def ask(self, *arguments: str) -> str | None:
        """The output of a short command without the last line end, or None if it failed."""
        with self._started(arguments) as (process, errors):
            answer = process.stdout.read() if process.stdout else b""
            failed = process.wait() != 0
            self._errors = _text(errors)
        return None if failed else answer.decode(errors="replace").rstrip("\n")

    def contents(self, name: str, *, most: int) -> bytes | None:
        """The bytes of a file by its `commit:path`; None if there is none.

        Raises InputError if it is larger than `most`, or no plain file (a folder, a submodule).
        """
        blob = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        if blob is None:
            return None
        size = self.ask("cat-file", "-s", blob)
        if self.ask("cat-file", "-t", blob) != "blob" or size is None:
            raise InputError(f"{self.path}: {name} is no file")
        if int(size) > most:
            raise InputError(f"{self.path}: {name} is larger than {most} bytes")
        with self._started(("cat-file", "blob", blob)) as (process, _):
            return process.stdout.read() if process.stdout else b""

    def default_branch(self) -> str:
        """The branch that pulls are merged into: the remote's default branch, as last fetched.

        In a bare mirror, and without a remote's branches, it is what HEAD names.
        """
        remote = self.ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        if remote is not None and self.ask("rev-parse", "--verify", "--quiet", remote) is not None:
            return remote
        for name in _DEFAULT_NAMES:
            if self.ask("rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{name}"):
                return f"origin/{name}"
        return self.ask("symbolic-ref", "--quiet", "--short", "HEAD") or "HEAD"

    def pull_heads(self) -> dict[int, str]:
        """Number → sha of every `refs/pull/N/head` that the clone has, fetched or mirrored."""
        listed = self.ask("for-each-ref", "--format=%(objectname) %(refname)", *_PULL_REFS) or ""
        return {
            int(match[2] or match[3]): match[1]
            for line in listed.split("\n")
            if (match := _PULL.match(line))
        }

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

    def use_mailmap(self, commit: str) -> str | None:
        """Let names and addresses of authors be those of the commit's .mailmap.

        Returns the id of that file, None if the commit has none.
        """
        name = f"{commit}:.mailmap"
        self._mailmap = ("-c", f"mailmap.blob={name}")
        return self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)

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
        with self._started((*_LOG, *arguments)) as (process, errors):
            assert process.stdout is not None  # noqa: S101
            yield from tokens(process.stdout)
            if process.wait():
                raise InputError(
                    f"{self.path}: git log failed: {_first_line(_text(errors))}",
                    hint=f"try: git -C {self.path} fsck",
                )

    def start_log(self, *arguments: str, stdin: bytes) -> Job:
        """Start `git log -z` with this standard input; it runs on while others are read."""
        return Job(self.command(*_LOG, *arguments), self.environment, stdin)

    def stream_log(self, *arguments: str, stdin: bytes) -> AbstractContextManager[LogStream]:
        """The output of `git log -z` as it comes; git is killed at the end."""
        return self._stream((*_LOG, *arguments), stdin)

    def stream_diff(self, *arguments: str) -> AbstractContextManager[LogStream]:
        """The output of `git diff-tree -z` as it comes; git is killed at the end."""
        return self._stream((*_DIFF, *arguments), b"")

    @contextmanager
    def _stream(self, arguments: tuple[str, ...], stdin: bytes) -> Iterator[LogStream]:
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            with self._started(arguments, stdin=given) as (process, errors):
                yield LogStream(process, errors)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a git program, with what keeps it from running others."""
        return ["git", *self._options, *self._mailmap, "-C", str(self._folder), *arguments]

    @contextmanager
    def _started(
        self,
        arguments: tuple[str, ...],
        *,
        environment: dict[str, str] | None = None,
        stdin: BinaryIO | None = None,
    ) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
        """The process and the file with its standard error; it is killed at the end."""
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                    self.command(*arguments),
                    stdin=subprocess.DEVNULL if stdin is None else stdin,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment or self.environment,
                )
            except FileNotFoundError as error:
                raise InputError(
                    "the git program is not installed", hint="install git, or use --file"
                ) from error
            with process:
                try:
                    _widen(process.stdout)
                    yield process, errors
                finally:
                    process.kill()


def _refuse_pipes(folder: Path, *, deep: bool) -> None:
    """Raise InputError for a pipe or a device where git expects a file: it would wait for ever.

    Not deep: only what git reads to find out whether this is a repository. Deep: everything in
    its folder, and in those from which it borrows objects.
    """
    for each in _below(folder) if deep else _first_files(folder):
        if not each.is_file() and not each.is_dir() and _can_block(each):
            raise InputError(f"{each.path} is no file", hint="that is no clone that git made")


def _can_block(file: os.DirEntry[str]) -> bool:
    """Whether reading it may never end; git's own socket (fsmonitor) is refused by the system."""
    if os.path.realpath(file.path) == os.devnull:
        return False
    try:
        mode = file.stat().st_mode
    except OSError:  # a link to nothing
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _first_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    for each in (folder, *(folder / "refs").glob("*/"), folder / "info"):
        yield from _listed(str(each))


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder, in those that it links to, and where it borrows objects."""
    waiting, seen = [os.path.realpath(folder)], set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for each in _listed(here):
            yield each
            if each.is_dir():
                waiting.append(os.path.realpath(each.path))
            elif each.name == "alternates" and each.is_file():
                waiting += _alternates(each.path)


def _listed(folder: str) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:  # git itself says what it cannot read
        yield from entries


def _alternates(file: str) -> Iterator[str]:
    """The folders that a file `objects/info/alternates` names."""
    with suppress(OSError), Path(file).open(errors="surrogateescape") as lines:
        objects = Path(file).parents[1]
        for line in lines.read(65_536).splitlines():
            if line and "\0" not in line:
                yield os.path.realpath(objects / line)


def _widen(pipe: IO[bytes] | None) -> None:
    """Let git write ahead, where the system has such pipes and still gives one."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe or -1, fcntl.F_SETPIPE_SZ, _PIPE)


def _text(errors: BinaryIO) -> str:
    errors.seek(0)
    return errors.read(65_536).decode(errors="replace").strip()


def _first_line(errors: str) -> str:
    return errors.partition("\n")[0] or "it gave no reason"
