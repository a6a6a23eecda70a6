"""Read the pull requests that were merged in a local clone into the pull store."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.branch_lines import BranchLines
from pullrisk.fetch.git.changes import Changes, read_changes, without_excluded
from pullrisk.fetch.git.clocks import HELD
from pullrisk.fetch.git.history import History, arrange_history
from pullrisk.fetch.git.line_fold import Stretch
from pullrisk.fetch.git.line_history import CommitLines
from pullrisk.fetch.git.log import Commit, read_commits
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.pulls import pull_of
from pullrisk.fetch.git.pushes import pushed_commits, read_pushes
from pullrisk.fetch.report import LISTED, FetchReport
from pullrisk.progress import Progress, Task
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull, checked_name
from pullrisk.pulls.store import PullStore

BATCH_COMMITS: Final = 1_000
_TICK: Final = timedelta(milliseconds=1)
NO_CONTENTS: Final = "a partial clone has no contents of files: who wrote its lines is unknown"
READER: Final = 8
"""Version of the reader, part of the checkpoint: raise it when it reads more of old commits."""


class KnownPull(NamedTuple):
    """What GitHub says of a pull: its last commit, when it was updated, whether it was merged."""

    head: str
    updated_at: datetime
    is_merged: bool


def checkpoint_key(repository: str, branch: str) -> str:
    """The store's name for how far a branch was read; its checkpoint has the `commit`."""
    return f"git:{repository}:{branch}"


def fetch_git(  # noqa: PLR0913 (all are options of the command)
    path: Path | Git,
    store: PullStore,
    *,
    salt: bytes,
    progress: Progress,
    repository: str | None = None,
    ref: str | None = None,
    since: datetime | None = None,
    names: BotNames = NO_NAMES,
    lines: Path | None = None,
    known: Callable[[], Mapping[int, KnownPull]] | None = None,
) -> FetchReport:
    """Read the pulls that were merged into `ref` of the clone at `path`, at `since` or later.

    A `Git` in place of the path may leave out some paths.

    Without `ref` it is the remote's default branch. Continues behind the last commit that an
    earlier run has written, even if that run was killed; reads all again if history was
    rewritten, or the .mailmap, `salt`, `since` or `names` (the accounts that the settings call
    bots or persons) changed. `repository` (`owner/name`) is needed if its remote is not on
    github.com. Each pull tells which lines of code it changes; in the folder `lines` it keeps who
    wrote each one, so that the next run need not read that again. `known`
    tells by number what GitHub said of every pull: the store then keeps its records, and takes of
    the clone's what only that tells; without it the clone's `refs/pull` count. Raises InputError
    (not a repository, no commits, a shallow or treeless clone, no git), StoreError.
    """
    git = path if isinstance(path, Git) else Git(path)
    name = _repository(git, repository)
    if git.is_shallow():
        raise InputError(
            f"{git.path} is a shallow clone: the pulls before its edge are missing",
            hint=f"run: git -C {git.path} fetch --unshallow",
        )
    if git.is_treeless():
        raise InputError(
            f"{git.path} is a treeless clone: it does not have which files a commit changed",
            hint=f"run: git -C {git.path} fetch --refetch --filter=blob:none",
        )
    branch = ref or git.default_branch()
    reading = _Reading(
        git,
        store,
        name=name,
        branch=branch,
        salt=salt,
        since=since,
        names=names,
        lines=lines,
        known=known,
    )
    return reading.run(progress)


class _Reading:
    """Reads the commits since the last run and writes their pulls in batches."""

    def __init__(  # noqa: PLR0913 (what `fetch_git` was given)
        self,
        git: Git,
        store: PullStore,
        *,
        name: str,
        branch: str,
        salt: bytes,
        since: datetime | None,
        names: BotNames,
        lines: Path | None,
        known: Callable[[], Mapping[int, KnownPull]] | None,
    ) -> None:
        self._git, self._store, self._name, self._branch = git, store, name, branch
        self._salt, self._since, self._bot_names = salt, since, names
        self._read_known, self._known = known, dict[int, KnownPull]()
        self._merged_elsewhere: dict[str, Pull] = {}
        self._key = checkpoint_key(name, branch)
        self._head = git.head(branch)
        self._identity: dict[str, object] = {
            "reader": READER,
            "mailmap": git.use_mailmap(self._head),
            "salt": sha256(salt).hexdigest()[:16],
            "since": since.isoformat() if since else None,
            "bots": names.fingerprint(),
            "excluded": list(git.excluded.patterns),
        }
        self._saved = self._last_checkpoint()
        self._old = self._saved.get("commit")
        self._lines = (
            None if git.is_partial() else BranchLines(git, lines and lines_of(lines, self._key))
        )
        # The pulls of earlier runs decide which merge of a number came first.
        self._stored = store.fingerprints(name).keys() if self._old else frozenset[int]()

    def run(self, progress: Progress) -> FetchReport:
        resumed = self._git.count("--first-parent", str(self._old)) if self._old else 0
        report = FetchReport(resumed=resumed, branch=self._branch)
        if self._old == self._head:
            return report
        history = self._history(progress)
        unnumbered = history.unnumbered()
        rebased = self._known_elsewhere(history, unnumbered)
        report += FetchReport(
            passed=history.choice.passed, unnumbered=len(unnumbered) - len(rebased)
        )
        pushed = pushed_commits(history, but=rebased)
        self._start_lines(history, rebased, pushed, progress)
        total = len(history.choice.pulls)
        what = f"{self._name}: merges into {self._branch}"
        with progress.task(what, total=total, unit="commits") as task:
            for batch in self._batches(history, pushed, task):
                report += batch
        return report + FetchReport(lines=NO_CONTENTS if self._lines is None else self._lines.note)

    def _start_lines(
        self,
        history: History,
        rebased: Mapping[str, int],
        pushed: Iterable[str],
        progress: Progress,
    ) -> None:
        """Start behind the first parent of the stretch: a branch may leave its old line.

        Lines of a batch of pulls are the batch's: whose lines are whose cannot be told.
        """
        if self._lines is None:
            return
        brought_by, merges = history.graph.brought_by, history.choice.pulls
        parents = {sha: history.commits[sha].parents for sha in brought_by}
        single = {sha: pulls[0].number for sha, pulls in merges.items() if len(pulls) == 1}
        elsewhere = {sha: pull.number for sha, pull in self._merged_elsewhere.items()}
        recorded = frozenset({*merges, *elsewhere, *pushed})
        stretch = Stretch(brought_by, parents, merges, {**rebased, **elsewhere, **single}, recorded)
        first = next(sha for sha, merge in brought_by.items() if merge is None)
        behind = next(iter(parents[first]), None)
        self._lines.start(behind, stretch, numbers=self._numbers, progress=progress)

    def _numbers(self) -> dict[str, int]:
        """What earlier runs stored, by the commit that merged it."""
        return self._store.merges(self._name) if self._old else {}

    def _history(self, progress: Progress) -> History:
        revisions = f"{self._old}..{self._head}" if self._old else self._head
        total = self._git.count(revisions)
        what = f"{self._name}: commits of {self._branch}"
        with progress.task(what, total=total, unit="commits") as task:
            latest = self._saved.get("latest")
            return arrange_history(
                _counted(read_commits(self._git, revisions), task),
                self._head,
                owner=self._name.partition("/")[0],
                heads=self._heads(),
                stored=self._stored,
                floor=datetime.fromisoformat(latest) if isinstance(latest, str) else None,
                now=datetime.now(UTC),
            )

    def _heads(self) -> dict[int, str]:
        """The last commit of each pull, as far as it is known."""
        if self._read_known is None:
            return self._git.pull_heads()
        self._known = dict(self._read_known())
        return {number: pull.head for number, pull in self._known.items()}

    def _known_elsewhere(self, history: History, unnumbered: list[str]) -> dict[str, int]:
        """The pull of each unnumbered commit that another source knows to be a pull's."""
        events = self._store.events(self._name)
        known = {pull.merge_sha: pull for pull in events if not pull.is_push}
        self._merged_elsewhere = {
            sha: known[sha]
            for sha, merge in history.graph.brought_by.items()
            if merge is None
            and sha in known
            and sha not in history.choice.pulls
            and _is_whole(history.commits[sha], known[sha])
        }
        pull_numbers: dict[str, int] = {}
        number = rebased = 0  # so many commits before the last one of a pull are its own too
        for sha in reversed(unnumbered):
            pull = known.get(sha)
            if pull is not None:
                is_squash = pull.title == history.commits[sha].subject
                number, rebased = pull.number, 0 if is_squash else (pull.commits or 1) - 1
                pull_numbers[sha] = number
            elif rebased > 0:
                rebased -= 1
                pull_numbers[sha] = number
        return pull_numbers

    def _batches(self, history: History, pushed: list[str], task: Task) -> Iterator[FetchReport]:
        """Write pulls, pushes and checkpoint by batches that end with a commit of the branch.

        The task advances with each commit that merged a pull, long before its batch is whole.
        """
        pulls: list[Pull] = []
        others: list[Pull] = []
        report, items = FetchReport(), 0
        changes, pushes_read = self._changes(history), self._pushes(history, pushed)
        are_pushed = frozenset(pushed)
        for sha, merge in history.graph.brought_by.items():
            lines = None if self._lines is None else self._lines.read(sha)
            if sha in history.choice.pulls:
                change = (
                    next(changes)
                    if lines is None
                    else without_excluded(self._git, lines.patch.changes())
                )
                pulls += self._pulls(history, change, lines)
                report += FetchReport(unreadable=change.unreadable)
                task.advance()
            elif sha in self._merged_elsewhere and lines is not None:
                others.append(lines.add_to(self._merged_elsewhere[sha]))
            elif sha in are_pushed:
                push = next(pushes_read)
                others.append(push if lines is None else lines.add_to(push))
            items += 1
            if merge is None and (items >= BATCH_COMMITS or sha == self._head):
                self._store.upsert(pull for pull in others if not self._is_too_old(pull))
                yield report + self._write(history, pulls, sha)
                pulls, others, report, items = [], [], FetchReport(), 0

    def _changes(self, history: History) -> Iterator[Changes]:
        shas = [sha for sha in history.graph.brought_by if sha in history.choice.pulls]
        return read_changes(self._git, shas)

    def _pushes(self, history: History, shas: list[str]) -> Iterator[Pull]:
        return read_pushes(
            self._git,
            history,
            shas,
            repository=self._name,
            salt=self._salt,
            names=self._bot_names,
        )

    def _write(self, history: History, pulls: list[Pull], last: str) -> FetchReport:
        """Write a batch that ends with the branch's commit `last`."""
        held = [
            pull.number
            for pull in pulls
            if abs(pull.updated_at - history.commits[str(pull.merge_sha)].committed_at) > HELD
        ]
        before = self._saved.get("held")
        self._saved = {
            **self._identity,
            "commit": last,
            "latest": history.times[last].isoformat(),
            "held": [*(before if isinstance(before, list) else []), *held][:LISTED],
        }
        if self._lines is not None:
            self._lines.save(last, is_last=last == self._head)
        written = self._store.upsert(pulls, checkpoint=(self._key, self._saved))
        if self._lines is not None:
            self._lines.keep_only(last)
        return FetchReport(read=len(pulls), written=written, held=len(held))

    def _pulls(
        self, history: History, change: Changes, lines: CommitLines | None
    ) -> Iterator[Pull]:
        merges = history.choice.pulls[change.sha]
        is_batch = len(merges) > 1  # of bors: whose files and commits are whose cannot be told
        for merge in merges:
            pull = pull_of(
                merge,
                history.commits[change.sha],
                None if is_batch else history.own.get(change.sha),
                files=None if is_batch else change.files,
                merged_at=history.times[change.sha],
                repository=self._name,
                salt=self._salt,
                names=self._bot_names,
            )
            if (merge.head_owner or "").lower() in history.choice.owners:
                # A branch of the repository itself, from before it was transferred.
                pull = replace(pull, head_repository=self._name)
            pull = self._behind_known(pull)
            if not (self._is_too_old(pull) or self._was_merged_before(pull)):
                yield pull if lines is None or is_batch else lines.add_to(pull)

    def _behind_known(self, pull: Pull) -> Pull:
        """The pull as an earlier version than GitHub's, whose clock may be behind the commit's."""
        known = self._known.get(pull.number)
        if known is None or not known.is_merged or known.updated_at > pull.updated_at:
            return pull
        return replace(pull, updated_at=known.updated_at - _TICK)

    def _is_too_old(self, pull: Pull) -> bool:
        return self._since is not None and pull.updated_at < self._since

    def _was_merged_before(self, pull: Pull) -> bool:
        """Whether an earlier run has read another merge of the number, with no less evidence."""
        if pull.number not in self._stored:
            return False
        stored = self._store.get(self._name, pull.number)
        return (
            stored is not None
            and stored.merged_at is not None
            and stored.merged_at <= pull.updated_at
            and stored.merge_sha != pull.merge_sha
            and (stored.head_sha is not None or pull.head_sha is None)
        )

    def _last_checkpoint(self) -> dict[str, object]:
        """The checkpoint of an earlier run; empty if the branch does not descend from it."""
        saved = self._store.checkpoint(self._key) or {}
        commit = saved.get("commit")
        if not isinstance(commit, str) or not self._identity.items() <= saved.items():
            return {}
        descends = self._git.ask("merge-base", "--is-ancestor", commit, self._head)
        return {} if descends is None else saved


def _counted(commits: Iterator[Commit], task: Task) -> Iterator[Commit]:
    count = 0
    for count, commit in enumerate(commits, 1):
        yield commit
        if count % BATCH_COMMITS == 0:
            task.advance(BATCH_COMMITS)
    task.advance(count % BATCH_COMMITS)


def _is_whole(commit: Commit, pull: Pull) -> bool:
    """Whether the commit is all that the pull changed, not the last of those it was rebased to."""
    return len(commit.parents) > 1 or pull.title == commit.subject or pull.commits in (None, 1)


def lines_of(folder: Path, branch: str) -> Path:
    """The folder of one branch of one repository within that of all."""
    return folder / blake2b(branch.encode(), digest_size=8).hexdigest()


def _repository(git: Git, name: str | None) -> str:
    name = name or git.github_name()
    if name is None:
        raise InputError(
            f"{git.path}: its remote is not on github.com, so its name is unknown",
            hint="name it with --repository owner/name",
        )
    return checked_name(name)
