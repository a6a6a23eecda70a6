"""The stage data-fetch on a session: pull requests from GitHub, files or a clone into its store."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pullrisk.errors import InputError, StoreError, needs_extra
from pullrisk.pulls.people import NO_NAMES
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import bot_names, github_access, home_salt, is_on_mongo
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.fetch.github.access import Access
    from pullrisk.fetch.github.clone import CloneOptions
    from pullrisk.fetch.github.fetch import GitHubReport
    from pullrisk.fetch.report import BadLine, FetchReport
    from pullrisk.pulls.record import Pull


def fetch_github(
    session: Session,
    repositories: Sequence[str],
    *,
    organisation: str | None = None,
    search: str | None = None,
    limit: int | None = None,
    concurrency: int = 4,
) -> "GitHubReport":
    """Fetch the named repositories, those of an organisation, or those that a search finds.

    The report names repositories that failed; the others are up to date then. Where clones are
    kept, the lines that pulls change are read from them; what goes wrong there is a note. Raises
    MissingExtraError without the extra `github`, SettingsError without credentials.
    """

    with needs_extra("github"):
        from pullrisk.fetch.github.clone import add_lines, without_lines
        from pullrisk.fetch.github.fetch import Request
        from pullrisk.fetch.github.fetch import fetch_github as fetch
    request = Request(
        repositories=tuple(repositories),
        organisation=organisation,
        search=search,
        limit=limit,
        concurrency=concurrency,
        names=bot_names(session.settings),
    )
    access, rotating = github_access(session.settings), session.rotating(github_access)
    report = fetch(
        request, session.store, access=access, progress=session.progress, rotating=rotating
    )
    try:
        options = _clone_options(session, lambda: access if rotating is None else rotating.now)
    except StoreError as error:  # no salt: costs lines, and never a record
        return without_lines(report, str(error))
    if options is None:
        return report
    return add_lines(report, session.store, options, progress=session.progress)


def _clone_options(session: Session, access: "Callable[[], Access]") -> "CloneOptions | None":
    """Where clones are kept, None if none are. Raises StoreError if there can be no salt.

    The salt of the home hashes addresses, as for other clones; a folder that was named for a
    machine without such a home has its own, so that an author stays the same from run to run.
    """
    from pullrisk.fetch.github.clone import CloneOptions
    from pullrisk.fetch.salt import read_salt

    settings = session.settings
    clone_setting, salt = settings.fetch.clone, settings.home / "salt"
    if clone_setting is None and (is_on_mongo(settings) or shutil.which("git") is None):
        return None
    if clone_setting == "off":
        return None
    folder = settings.home if clone_setting is None else Path(clone_setting).expanduser()
    return CloneOptions(
        folder=folder,
        access=access,
        salt=read_salt(salt if salt.exists() else folder / "salt"),
        names=bot_names(settings),
    )


def installed_names(session: Session) -> list[str]:
    """The repositories where the GitHub App is installed, as its webhooks told.

    Raises InputError if none is known, MissingExtraError without the extra `github`.
    """
    from pullrisk.pulls.app_installations import AppInstallations

    with needs_extra("github"):
        from pullrisk.fetch.github.endpoint import endpoint
    names = AppInstallations(session.store, endpoint(session.settings.github_url).host).names()
    if not names:
        raise InputError(
            "no repository is known where the GitHub App is installed",
            hint="install it while `pullrisk serve` receives its webhooks: docs/app.md",
        )
    return names


def fetch_files(
    session: Session, files: list[str], *, repository: str | None = None, skip: bool = False
) -> "FetchReport":
    """Read files of REST objects; `skip` goes on after a line that cannot be read."""
    from pullrisk.fetch.files import fetch_files as fetch

    return fetch(
        files,
        session.store,
        progress=session.progress,
        skip=skip,
        repository=repository,
        names=bot_names(session.settings),
    )


def fetch_git(
    session: Session,
    path: Path,
    *,
    repository: str | None = None,
    ref: str | None = None,
    since: datetime | None = None,
) -> "FetchReport":
    """Read the merges of a clone; e-mail addresses are hashed with the salt of the home folder."""
    from pullrisk.fetch.git.fetch import fetch_git as fetch

    return fetch(
        path.expanduser(),
        session.store,
        salt=home_salt(session.settings),
        progress=session.progress,
        repository=repository,
        ref=ref,
        since=since,
        names=bot_names(session.settings),
        lines=session.settings.home / "lines",
    )


def read_pulls(
    path: str | Path,
    *,
    repository: str | None = None,
    skipped: "Callable[[BadLine], object] | None" = None,
    settings: Settings | None = None,
) -> "Iterator[Pull]":
    """The pulls of a file of JSON, gzipped or not: GitHub's REST objects, webhooks, or what
    `gh pr list --json` prints; - is standard input.

    `repository` names that of objects which name none, `settings` say who is a bot. Raises
    InputError with file and line for one that cannot be read, or hands it to `skipped`.
    """
    from pullrisk.fetch.files import read_pulls as read

    names = NO_NAMES if settings is None else bot_names(settings)
    return read(path, repository=repository, skipped=skipped, names=names)
