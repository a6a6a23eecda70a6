"""Git, as far as delivery needs it: trees and texts of commits, ancestry, pushes."""

import base64
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from delivery.errors import AwayError, InputError, RefusedError

_TIMEOUT: Final = 300
_BOT: Final = ("-c", "user.name=pullrisk-delivery", "-c", "user.email=delivery@pullrisk.invalid")
_SHA: Final = re.compile("[0-9a-f]{40}")
_REJECTED: Final = ("non-fast-forward", "[rejected]", "[remote rejected]", "fetch first")


@dataclass(frozen=True)
class Commit:
    """One line of a log."""

    sha: str
    subject: str


@dataclass(frozen=True)
class Repository:
    """A clone, and the name or URL of the remote that holds the branches."""

    path: Path
    remote: str = "origin"

    def git(self, *arguments: str, data: bytes | None = None, index: Path | None = None) -> bytes:
        """The output of a git command, on an index of its own where one is named.

        Raises InputError with what git said.
        """
        done = self._run(*arguments, data=data, index=index)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise InputError(f"git {arguments[0]} failed in {self.path}: {said}")
        return done.stdout

    def text(self, *arguments: str) -> str:
        """The output as text, without the last line's end."""
        return self.git(*arguments).decode(errors="replace").rstrip("\n")

    def resolve(self, revision: str) -> str | None:
        """The full id of the commit that the revision names; None if there is none."""
        done = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        return done.stdout.decode().strip() or None

    def commit(self, revision: str) -> str:
        """As `resolve`, but raises InputError if there is none."""
        sha = self.resolve(revision)
        if sha is None:
            raise InputError(
                f"{revision} is not a commit of {self.path}",
                hint="fetch it, with its whole history: git fetch --unshallow",
            )
        return sha

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` is `old` or contains it."""
        return self._run("merge-base", "--is-ancestor", old, new).returncode == 0

    def log(self, old: str | None, new: str) -> list[Commit]:
        """The commits that `new` has and `old` has not, newest first."""
        span = [new] if old is None else [new, f"^{old}"]
        lines = self.text("log", "--format=%H %s", *span).splitlines()
        return [Commit(sha, subject) for sha, _, subject in (line.partition(" ") for line in lines)]

    def tree(self, commit: str, prefix: str = "") -> dict[str, str]:
        """Path → `mode id` of every file of the commit below the prefix.

        Bytes of a path that are no UTF-8 are surrogates.
        """
        listed = self.git("ls-tree", "-r", "-z", commit, *(["--", prefix] if prefix else []))
        entries = {}
        for line in filter(None, listed.decode(errors="surrogateescape").split("\0")):
            facts, _, path = line.partition("\t")
            mode, _, blob = facts.split()
            entries[path] = f"{mode} {blob}"
        return entries

    def changed(self, old: str, new: str) -> list[str]:
        """Paths that were added, removed or changed; both ends of a rename."""
        listed = self.git("diff", "--name-only", "--no-renames", "-z", old, new)
        return [path for path in listed.decode(errors="surrogateescape").split("\0") if path]

    def show(self, commit: str, path: str) -> str | None:
        """The text of a file at the commit; None if the file is missing."""
        return (
            _show_once(self, commit, path) if _SHA.fullmatch(commit) else self._show(commit, path)
        )

    def _show(self, commit: str, path: str) -> str | None:
        done = self._run("show", f"{commit}:{path}")
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Id → bytes, read in one go."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        answer = self.git("cat-file", "--batch", data="\n".join(wanted).encode() + b"\n")
        found, at = {}, 0
        for each in wanted:
            end = answer.index(b"\n", at)
            facts = answer[at:end].split()
            if len(facts) != 3:
                raise InputError(f"{each[:12]} is not in {self.path}", hint="is the clone whole?")
            size = int(facts[2])
            found[each] = answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return found

    def fetch(self, *branches: str) -> None:
        """Bring the remote's branches to refs/remotes/<remote>/…, forced ones included."""
        spans = [f"+refs/heads/{name}:refs/remotes/{self.remote}/{name}" for name in branches]
        done = self._run("fetch", "--quiet", "--no-tags", self.remote, *spans)
        if done.returncode:
            raise AwayError(
                f"{', '.join(branches)} cannot be fetched from {self.remote}: "
                f"{done.stderr.decode(errors='replace').strip()}",
                hint="does the branch exist, and may you read it?",
            )

    def has_remote(self) -> bool:
        """Whether the remote is configured."""
        return self.remote in self.text("remote").splitlines()

    def push(self, commits: Mapping[str, str]) -> None:
        """Fast-forward the remote's branches (name to commit), all of them or none.

        Raises RefusedError if one of them has moved on.
        """
        spans = [f"{commit}:refs/heads/{branch}" for branch, commit in commits.items()]
        atomic = ["--atomic"] if len(spans) > 1 else []
        done = self._run("push", "--quiet", *atomic, self.remote, *spans)
        if done.returncode == 0:
            return
        names = ", ".join(commits)
        said = done.stderr.decode(errors="replace").strip()
        if any(word in said for word in _REJECTED):
            raise RefusedError(f"{names} did not take the push as a fast-forward: {said}")
        raise AwayError(f"{names} cannot be pushed to {self.remote}: {said}")

    def commit_with(
        self, files: Mapping[str, str | None], message: str, *, parents: Sequence[str]
    ) -> str:
        """The bot's commit: the first parent's files with these texts, None for a file to delete.

        It is made in an index of its own; the work tree and the branches are not touched.
        """
        with TemporaryDirectory() as folder:
            index = Path(folder) / "index"
            self.git("read-tree", parents[0], index=index)
            for path, text in files.items():
                self.git("update-index", *self._entry(path, text), index=index)
            tree = self.git("write-tree", index=index).decode().strip()
        above = [word for parent in parents for word in ("-p", parent)]
        made = self.git(*_BOT, "commit-tree", tree, *above, "-F", "-", data=message.encode())
        return made.decode().strip()

    def _entry(self, path: str, text: str | None) -> list[str]:
        """Arguments of update-index for one file."""
        if text is None:
            return ["--force-remove", path]
        blob = self.git("hash-object", "-w", "--stdin", data=text.encode()).decode().strip()
        return ["--add", "--cacheinfo", f"100644,{blob},{path}"]

    def _run(
        self, *arguments: str, data: bytes | None = None, index: Path | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(  # noqa: S603  (arguments are a list, never a shell's line)
            ["git", "-C", str(self.path), *arguments],  # noqa: S607
            input=data,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env=_environment() | ({"GIT_INDEX_FILE": str(index)} if index else {}),
        )


@lru_cache(maxsize=1024)
def _show_once(repository: Repository, sha: str, path: str) -> str | None:
    """A judgement reads the same few files of the same commits hundreds of times."""
    return repository._show(sha, path)


def _environment() -> dict[str, str]:
    """This process's, with GITHUB_TOKEN as git's credential: in no argument and in no file."""
    own = {name: value for name, value in os.environ.items() if name != "GITHUB_TOKEN"}
    own |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    token = os.environ.get("GITHUB_TOKEN")
    if token:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        own |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        }
    return own
