"""The lines that a repository's pull requests change, read from a bare clone that is kept.

GraphQL tells everything else of them. The store joins the two: a record that both know has the
lines of the same merge, or of the same head while it is open.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.fetch import KnownPull, fetch_git
from pullrisk.fetch.git.mirror import CloneError, Mirror
from pullrisk.fetch.git.open_lines import with_lines
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.client import connection
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.failures import Failure
from pullrisk.fetch.github.fetch import GitHubReport
from pullrisk.fetch.github.slots import CredentialPool
from pullrisk.fetch.report import FetchReport
from pullrisk.progress import Progress
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore

FOLDER: Final = "mirrors"
MOST_OPEN: Final = 200
"""Open pulls whose lines are read in one fetch, the last updated first; the next takes others."""


class CloneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where clones and their lines are kept, and what reading them needs.

    `access` gives the credentials in force, each time it is called.
    """

    folder: Path
    access: Callable[[], Access]
    salt: bytes
    names: BotNames = NO_NAMES


def add_lines(
    report: GitHubReport, store: PullStore, options: CloneOptions, *, progress: Progress
) -> GitHubReport:
    """Read the lines of each repository that was fetched; the report with notes of what went wrong.

    Raises StoreError, SettingsError.
    """
    repositories = []
    for fetched in report.repositories:
        if fetched.name and fetched.stored_as and not fetched.error:
            notes = fetch_lines(fetched.name, fetched.stored_as, store, options, progress=progress)
            fetched = replace(fetched, notes=(*fetched.notes, *notes))
        repositories.append(fetched)
    return replace(report, repositories=tuple(repositories))


def without_lines(report: GitHubReport, reason: str) -> GitHubReport:
    """The report, with a note at each repository that was fetched: its lines stay unknown."""
    note = f"which lines its pulls change is unknown: {reason}"
    repositories = (
        replace(fetched, notes=(*fetched.notes, note))
        if fetched.name and not fetched.error
        else fetched
        for fetched in report.repositories
    )
    return replace(report, repositories=tuple(repositories))


def fetch_lines(
    name: str, stored_as: str, store: PullStore, options: CloneOptions, *, progress: Progress
) -> tuple[str, ...]:
    """Bring the clone of the repository up to date, and its pulls' lines into the store.

    `name` is GitHub's, `stored_as` the store's. Returns notes for people: what went wrong costs
    lines, never a record. Raises StoreError.
    """
    folder = options.folder / FOLDER / f"{stored_as.replace('/', '+')}.git"
    try:
        with Mirror.locked(folder) as mirror:
            waiting = _without_lines(store, stored_as)
            with progress.task(f"{stored_as}: clone", total=None, unit="clones"):
                access = options.access()
                updated = mirror.update(
                    f"{endpoint(access.url).web}/{name}.git",
                    asyncio.run(_tokens(access)),
                    heads={pull.number for pull in waiting},
                    bases={pull.base_ref for pull in waiting if pull.base_ref},
                )
            if updated is None:
                return ()
            report = _read_branch(folder, updated.branch, stored_as, store, options, progress)
            if waiting:
                git = Git(folder)
                pulls = _with_lines(git, waiting, git.head(updated.branch), store, progress)
                store.upsert(pulls)
            rewritten = f"{updated.branch} was rewritten: its lines were read again from the start"
            return (*([rewritten] if updated.rewritten else []), *_notes(report))
    except CloneError as error:
        return (f"which lines its pulls change is unknown: {error}",)
    except InputError as error:
        return (f"which lines its pulls change is unknown: {error}; {folder} may be deleted",)


async def _tokens(access: Access) -> list[str]:
    """What each credential is known by to git: an App's installations have tokens of an hour."""
    tokens = []
    async with connection(transport=access.transport) as http:
        pool = CredentialPool(access, http)
        await pool.open()
        for slot in pool.slots:
            with suppress(Failure):  # another one may do
                tokens.append((await slot.credential.authorization(http)).partition(" ")[2])
    return tokens


def _without_lines(store: PullStore, repository: str) -> list[Pull]:
    """The open pulls of whose lines nobody has told who wrote them, the last updated first."""
    pulls = store.recent(repository=repository, state="open", limit=10 * MOST_OPEN)
    return [pull for pull in pulls if pull.head_sha and not _knows_origins(pull)][:MOST_OPEN]


def _knows_origins(pull: Pull) -> bool:
    return pull.lines is not None and pull.lines.rewrites is not None


def _read_branch(
    folder: Path,
    branch: str,
    repository: str,
    store: PullStore,
    options: CloneOptions,
    progress: Progress,
) -> FetchReport:
    """Write into the store what is new of the clone's branch."""

    def known_pulls() -> dict[int, KnownPull]:
        return {
            pull.number: KnownPull(pull.head_sha, pull.updated_at, pull.merged_at is not None)
            for pull in store.pulls(repository)
            if pull.head_sha
        }

    return fetch_git(
        folder,
        store,
        salt=options.salt,
        progress=progress,
        repository=repository,
        ref=branch,
        names=options.names,
        lines=options.folder / "lines",
        known=known_pulls,
    )


def _with_lines(
    git: Git, waiting: Sequence[Pull], base: str, store: PullStore, progress: Progress
) -> Iterator[Pull]:
    """The open pulls of which the clone tells lines; `base` is the head of its branch."""
    repository = waiting[0].repository
    numbers = store.merges(repository)
    what = f"{repository}: lines of open pulls"
    with progress.task(what, total=len(waiting), unit="pulls") as task:
        for pull in waiting:
            pull = with_lines(git, pull, base=base, numbers=numbers)
            if pull.lines is not None:
                yield pull
            task.advance()


def _notes(report: FetchReport) -> Iterator[str]:
    if report.lines:
        yield report.lines
    if report.unreadable:
        yield f"{report.unreadable:,} changed files could not be read from its clone"
