"""`pullrisk check`: the branch in hand of a clone, before a pull is opened of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pullrisk.errors import NotEnoughDataError
from pullrisk.repository_config.globs import PathGlobs
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.reading import ConfigError
from pullrisk.wiring.briefing import brief_open_pull
from pullrisk.wiring.fetching import bot_names
from pullrisk.wiring.scoring import Clone, name_of, salt_of
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief
    from pullrisk.fetch.git.program import Git


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The brief of a branch, or why there is none, and what was wrong with the configuration."""

    base: str
    config: RepositoryConfig = DEFAULTS
    brief: "Brief | None" = None
    reason: str | None = None
    notice: str | None = None


def check_branch(
    session: Session,
    path: Path,
    *,
    base: str | None = None,
    repository: str | None = None,
    model: str | None = None,
    branches: bool = False,
) -> Checked:
    """The brief of the pull that the clone's current branch would be.

    With `branches` it names the other unmerged ones that change the same files.
    `base` is the branch that it would go into, by default the remote's default branch; the
    configuration is read from there. Raises InputError for a folder that is no clone and a branch
    that does not exist.
    """
    git = Clone(path=path).git()
    branch = _named(git, base)
    base_commit, head = git.head(branch), git.head("HEAD")
    if git.ask("merge-base", "--is-ancestor", head, base_commit) is not None:
        return Checked(base=branch, reason=f"the branch has no commit that {branch} lacks")
    if git.is_shallow():
        return Checked(base=branch, reason="the clone is shallow: git fetch --unshallow mends it")
    config, notice = _config(git, base_commit)
    found = Checked(base=branch, config=config, notice=notice)
    clone = Clone(
        path=path, repository=repository, ref=_history(git, branch),
        excluded=PathGlobs(config.exclude), branches=branches,
    )  # fmt: skip
    try:
        brief = _brief(session, clone, branch, config, model)
    except NotEnoughDataError as error:
        return replace(found, reason=str(error.args[0]))
    return replace(found, brief=brief)


def _named(git: "Git", base: str | None) -> str:
    """The base as the remote has it, if it does: a local branch of the name may be older."""
    if base is None:
        return git.default_branch()
    remote = f"origin/{base}"
    known = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{remote}^{{commit}}")
    return base if known is None else remote


def _history(git: "Git", base: str) -> str:
    """The default branch, from which more can be learnt than from the base of a stacked pull."""
    default = git.default_branch()
    return base if default == "HEAD" else default


def _config(git: "Git", commit: str) -> tuple[RepositoryConfig, str | None]:
    from pullrisk.action.checkout import read_config

    try:
        return read_config(git, commit), None
    except ConfigError as error:
        return DEFAULTS, error.notice


def _brief(
    session: Session, clone: Clone, base: str, config: RepositoryConfig, model: str | None
) -> "Brief":
    from pullrisk.fetch.git.branch_pull import branch_pull

    git, now = clone.git(), datetime.now(UTC)
    git.use_mailmap(git.head(base))
    pull = branch_pull(
        git,
        base=base,
        repository=name_of(clone),
        salt=salt_of(session),
        names=bot_names(session.settings),
        now=now,
    )
    brief = brief_open_pull(session, clone, pull, config=config, model=model, now=now)
    return replace(brief, url=None)
