"""Run the git program on a repository that is not trusted."""

import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from pullrisk.errors import InputError
from pullrisk.fetch.git.process import GitProcess
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
    r"|git://github\.com/|(?:[^/@:]+@)?github\.com(?:-[\w.-]+)?:)/?([\w.-]+/[\w.-]+?)(?:\.git)?/?$",
    re.IGNORECASE | re.ASCII,
)


def top_of(path: Path) -> Path:
    """The top of the clone in which a folder lies, as git finds it; else the folder itself."""
    path = path.expanduser()
    if (path / ".git").exists() or (path / "objects").is_dir() or not path.is_dir():
        return path
    above = (parent for parent in path.resolve().parents if (parent / ".git").exists())
    return next(above, path)


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
        self.shared = (self.path / (shared or own)).resolve()
        """Git's folder, which all work trees of the clone have in common."""
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
        arguments = ("-C", "/", "config", "-z", "--includes", "--get-all", "safe.directory")
        with self._run(*arguments, environment=environment) as process:
            answer = process.output.read()
        for value in ("", *answer.decode(errors="surrogateescape").split("\x00")[:-1]):
            yield from ("-c", f"safe.directory={value}")

    def ask(self, *arguments: str) -> str | None:
        """The output of a short command without the last line end, or None if it failed."""
        with self._run(*arguments) as process:
            answer = process.output.read()
            succeeded = process.succeeded()
            self._errors = _text(process)
        return answer.decode(errors="replace").rstrip("\n") if succeeded else None

    def contents(self, name: str, *, most: int) -> bytes | None:
        """The bytes of a file by its `commit:path`; None if there is none.

        Raises InputError if it is larger than `most`, or no plain file (a folder, a submodule).
        """
        blob = self._parsed(name)
        if blob is None:
            return None
        size = self.ask("cat-file", "-s", blob)
        if self.ask("cat-file", "-t", blob) != "blob" or size is None:
            raise InputError(f"{self.path}: {name} is no file")
        if int(size) > most:
            raise InputError(f"{self.path}: {name} is larger than {most} bytes")
        with self._run("cat-file", "blob", blob) as process:
            return process.output.read()

    def default_branch(self) -> str:
        """The branch that pulls are merged into: the remote's default branch, as last fetched.

        In a bare mirror it is what HEAD names. Without a remote's branches it is the local one
        with a usual name, else what HEAD names.
        """
        if (named := self._default_of(self.remote)) is not None:
            return named
        current = self.ask("symbolic-ref", "--quiet", "--short", "HEAD") or "HEAD"
        if current in _DEFAULT_NAMES or self.ask("rev-parse", "--is-bare-repository") == "true":
            return current
        return next((name for name in _DEFAULT_NAMES if self._has(f"refs/heads/{name}")), current)

    def _default_of(self, remote: str) -> str | None:
        """The default branch of a remote, by its HEAD or its usual names; None if unknown."""
        prefix = f"refs/remotes/{remote}"
        named = self.ask("symbolic-ref", "--quiet", "--short", f"{prefix}/HEAD")
        if named is not None and self._has(named):
            return named
        usual = (name for name in _DEFAULT_NAMES if self._has(f"{prefix}/{name}"))
        return next((f"{remote}/{name}" for name in usual), None)

    def _has(self, ref: str) -> bool:
        return self._parsed(ref) is not None

    @cached_property
    def remote(self) -> str:
        """The remote that has the repository into which pulls are merged.

        In the clone of a fork that is `upstream`, as GitHub's own program names it, once its
        default branch was fetched; else `origin`, else the first.
        """
        names = (self.ask("remote") or "").split()
        for name in ("upstream", "origin", *names[:1]):
            if name in names and self._default_of(name) is not None:
                return name
        return "origin" if "origin" in names or not names else names[0]

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
        commit = self.commit(ref)
        if commit is None:
            raise InputError(
                f"{self.path}: there is no commit at {ref}",
                hint="is the repository empty? else name a branch that it has",
            )
        return commit

    def commit(self, name: str) -> str | None:
        """The sha of the commit that a ref or sha names; None if the clone lacks it."""
        return self._parsed(f"{name}^{{commit}}")

    def _parsed(self, name: str) -> str | None:
        """The id of the object that a revision names, None if there is none."""
        return self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)

    def use_mailmap(self, commit: str) -> str | None:
        """Let names and addresses of authors be those of the commit's .mailmap.

        Returns the id of that file, None if the commit has none.
        """
        name = f"{commit}:.mailmap"
        self._mailmap = ("-c", f"mailmap.blob={name}")
        return self._parsed(name)

    def is_shallow(self) -> bool:
        """Whether older history was cut off."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"

    def is_partial(self) -> bool:
        """Whether the clone lacks some objects (it was made with `--filter`)."""
        return (
            self.ask("config", "--get-regexp", r"^(extensions|remote\..*)\.(partialclone|promisor)")
            is not None
        )

    def is_treeless(self) -> bool:
        """Whether a partial clone lacks its first commit's list of files (`--filter=tree:0`)."""
        if not self.is_partial():
            return False
        first = (self.ask("rev-list", "--max-parents=0", "HEAD", "--") or "").partition("\n")[0]
        return bool(first) and self.ask("cat-file", "-e", f"{first}^{{tree}}") is None

    def count(self, *revisions: str) -> int:
        """How many commits `git rev-list` lists for the revisions."""
        return int(self.ask("rev-list", "--count", *revisions, "--") or 0)

    def github_name(self) -> str | None:
        """`owner/name` of the clone's remote, or None if that is not on github.com."""
        match = _GITHUB.match(self.ask("remote", "get-url", self.remote) or "")
        return match[1] if match else None

    def log(self, *arguments: str) -> Iterator[bytes]:
        """The output of `git log -z` as a stream of the tokens between its NUL bytes.

        Raises InputError if git fails, after the tokens that it has written.
        """
        with self._run(*_LOG, *arguments) as process:
            yield from process.tokens()
            if not process.succeeded():
                raise InputError(
                    f"{self.path}: git log failed: {_first_line(_text(process))}",
                    hint=f"try: git -C {self.path} fsck",
                )

    def start_log(self, *arguments: str, stdin: bytes) -> GitProcess:
        """Start `git log -z` with this standard input; it runs on while others are read."""
        command = self.command(*_LOG, *arguments)
        return GitProcess(command, self.environment, stdin=stdin, background=True)

    def stream_log(self, *arguments: str, stdin: bytes) -> GitProcess:
        """`git log -z` with this standard input, to be read as it comes."""
        return self._run(*_LOG, *arguments, stdin=stdin)

    def stream_diff(self, *arguments: str) -> GitProcess:
        """`git diff-tree -z`, to be read as it comes."""
        return self._run(*_DIFF, *arguments)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a git program, with what keeps it from running others."""
        return ["git", *self._options, *self._mailmap, "-C", str(self._folder), *arguments]

    def _run(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> GitProcess:
        return GitProcess(self.command(*arguments), environment or self.environment, stdin=stdin)


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


def _text(process: GitProcess) -> str:
    return process.errors().decode(errors="replace").strip()


def _first_line(errors: str) -> str:
    return errors.partition("\n")[0] or "it gave no reason"
