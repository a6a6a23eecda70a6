"""Read the pull requests that were merged in a local clone into the pull store."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from pullrisk.errors import InputError
from pullrisk.fetch.git.log import Commit, OwnCommits, branch_commits, own_commits
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.pulls import merge_of, pull_of
from pullrisk.fetch.names import checked_name
from pullrisk.fetch.report import FetchReport
from pullrisk.progress import Progress
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore

BATCH_COMMITS: Final = 1_000
READER: Final = 2
"""Version of the reader, part of the checkpoint: raise it when it reads more of old commits."""


def fetch_git(  # noqa: PLR0913 (all are options of the command)
    path: Path,
    store: PullStore,
    *,
    salt: bytes,
    progress: Progress,
    repository: str | None = None,
    ref: str = "HEAD",
    since: datetime | None = None,
) -> FetchReport:
    """Read the pulls that were merged into `ref` of the clone at `path`, at `since` or later.

    Continues behind the last commit that an earlier run has written, even if that run was
    killed; reads all again if history was rewritten, or `salt` or `since` changed. `repository`
    (`owner/name`) is needed if origin is not on github.com. If a number was merged twice, the
    earliest merge counts. Raises InputError (not a repository, no commits, a shallow clone, no
    git), StoreError.
    """
    git = Git(path)
    name = _repository(git, repository)
    if git.is_shallow():
        raise InputError(
            f"{path} is a shallow clone: the pulls before its edge are missing",
            hint=f"run: git -C {path} fetch --unshallow",
        )
    reading = _Reading(git, store, name=name, ref=ref, salt=salt, since=since)
    return reading.run(progress)


class _Reading:
    """Reads the commits since the last run and writes their pulls in batches."""

    def __init__(
        self,
        git: Git,
        store: PullStore,
        *,
        name: str,
        ref: str,
        salt: bytes,
        since: datetime | None,
    ) -> None:
        self._git, self._store, self._name = git, store, name
        self._salt, self._since = salt, since
        self._key = f"git:{name}:{ref}"
        self._identity: dict[str, object] = {
            "reader": READER,
            "salt": sha256(salt).hexdigest()[:16],
            "since": since.isoformat() if since else None,
        }
        self._head = git.head(ref)
        git.use_mailmap(self._head)
        self._old = self._last_commit()
        self._seen: set[int] = set()
        # The pulls of earlier runs decide which merge of a number came first.
        self._stored = store.fingerprints(name).keys() if self._old else frozenset[int]()

    def run(self, progress: Progress) -> FetchReport:
        resumed = self._git.count("--first-parent", self._old) if self._old else 0
        report = FetchReport(resumed=resumed)
        if self._old == self._head:
            return report
        revisions = f"{self._old}..{self._head}" if self._old else self._head
        own = self._own_commits(revisions, progress)
        total = self._git.count("--first-parent", revisions)
        with progress.task(f"{self._name}: merges", total=total, unit="commits") as task:
            batch: list[Commit] = []
            count_lines = not self._git.is_partial()
            for commit in branch_commits(self._git, revisions, count_lines=count_lines):
                batch.append(commit)
                if len(batch) == BATCH_COMMITS:
                    report += self._write(batch, own)
                    task.advance(len(batch))
                    batch = []
            report += self._write(batch, own)
            task.advance(len(batch))
        return report

    def _own_commits(self, revisions: str, progress: Progress) -> dict[str, OwnCommits]:
        """The commits that each merge brought in: sha of the merge → commits."""
        own: dict[str, OwnCommits] = {}
        total = self._git.count(revisions)
        with progress.task(f"{self._name}: commits", total=total, unit="commits") as task:
            for count, (merge, commit) in enumerate(
                own_commits(self._git, revisions, self._head), 1
            ):
                own.setdefault(merge, OwnCommits()).add(commit)
                if count % BATCH_COMMITS == 0:
                    task.advance(BATCH_COMMITS)
        return own

    def _write(self, batch: list[Commit], own: dict[str, OwnCommits]) -> FetchReport:
        if not batch:
            return FetchReport()
        pulls = list(self._pulls(batch, own))
        checkpoint = (self._key, {**self._identity, "commit": batch[-1].sha})
        return FetchReport(
            read=len(pulls), written=self._store.upsert(pulls, checkpoint=checkpoint)
        )

    def _pulls(self, batch: list[Commit], own: dict[str, OwnCommits]) -> Iterable[Pull]:
        for commit in batch:
            brought_in = own.pop(commit.sha, None)
            merge = merge_of(commit)
            if merge is None or merge.number in self._seen:
                continue
            self._seen.add(merge.number)
            pull = pull_of(merge, commit, brought_in, repository=self._name, salt=self._salt)
            if not (self._is_too_old(pull) or self._was_merged_before(pull)):
                yield pull

    def _is_too_old(self, pull: Pull) -> bool:
        return self._since is not None and pull.updated_at < self._since

    def _was_merged_before(self, pull: Pull) -> bool:
        if pull.number not in self._stored:
            return False
        stored = self._store.get(self._name, pull.number)
        return (
            stored is not None
            and stored.merged_at is not None
            and stored.merged_at <= pull.updated_at
            and stored.merge_sha != pull.merge_sha
        )

    def _last_commit(self) -> str | None:
        """The last commit of an earlier run, or None if the branch does not descend from it."""
        saved = self._store.checkpoint(self._key) or {}
        commit = saved.pop("commit", None)
        if not isinstance(commit, str) or saved != self._identity:
            return None
        descends = self._git.ask("merge-base", "--is-ancestor", commit, self._head)
        return None if descends is None else commit


def _repository(git: Git, given: str | None) -> str:
    name = given or git.github_name()
    if name is None:
        raise InputError(
            f"{git.path}: its origin is not on github.com, so its name is unknown",
            hint="name it with --repository owner/name",
        )
    return checked_name(name)
