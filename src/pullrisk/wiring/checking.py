"""Briefs from a clone alone: of an open pull, and of the branch in hand before it is one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError, NotEnoughDataError
from pullrisk.repository_config.globs import PathGlobs
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.reading import ConfigError
from pullrisk.repository_config.rules import bands_of
from pullrisk.wiring.adapters import bot_names, home_salt
from pullrisk.wiring.scoring import Clone, FoldedClone, name_of
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief
    from pullrisk.fetch.git.program import Git
    from pullrisk.pulls.record import Pull


class BranchCheck(msgspec.Struct, frozen=True, kw_only=True):
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
) -> BranchCheck:
    """The brief of the pull that the clone's current branch would be.

    With `branches` it names the other unmerged ones that change the same files.
    `base` is the branch that it would go into, by default the remote's default branch; the
    configuration is read from there. Raises InputError for a folder that is no clone and a branch
    that does not exist.
    """
    from pullrisk.fetch.git.program import top_of

    path = top_of(path)
    git = Clone(path=path).git()
    branch = _base_branch(git, base)
    base_commit, head = git.head(branch), git.head("HEAD")
    if git.ask("merge-base", "--is-ancestor", head, base_commit) is not None:
        return BranchCheck(base=branch, reason=_nothing_new(git, branch))
    if git.is_shallow():
        return BranchCheck(
            base=branch, reason="the clone is shallow: git fetch --unshallow mends it"
        )
    config, notice = _config(git, base_commit)
    checked = BranchCheck(base=branch, config=config, notice=notice)
    clone = Clone(
        path=path, repository=repository, ref=_history(git, branch),
        excluded=PathGlobs(config.exclude), branches=branches,
    )  # fmt: skip
    try:
        brief = _brief(session, clone, branch, config, model)
    except NotEnoughDataError as error:
        return replace(checked, reason=str(error.args[0]))
    return replace(checked, brief=brief)


def _nothing_new(git: "Git", base: str) -> str:
    if base == git.ask("symbolic-ref", "--quiet", "--short", "HEAD"):
        return f"the branch in hand is {base}, the one that pulls go into (--base names another)"
    return f"the branch has no commit that {base} lacks (what is not committed does not count)"


def _base_branch(git: "Git", base: str | None) -> str:
    """The base as the remote has it, if it does: a local branch of the name may be older.

    Raises InputError if there is no branch of that name.
    """
    if base is None:
        return git.default_branch()
    for name, ref in (
        (f"{git.remote}/{base}", f"refs/remotes/{git.remote}/{base}"),
        (base, f"refs/heads/{base}"),
        (base, f"refs/remotes/{base}"),
    ):
        if git.ask("show-ref", "--verify", "--quiet", ref) is not None:
            return name
    raise InputError(
        f"{git.path}: there is no branch {base}",
        hint="name the branch that it would go into with --base; git fetch brings new ones",
    )


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
    from pullrisk.fetch.git.pulls import branch_pull

    git, now = clone.git(), datetime.now(UTC)
    git.use_mailmap(git.head(base))
    pull = branch_pull(
        git,
        base=base,
        repository=name_of(clone),
        salt=home_salt(session.settings),
        names=bot_names(session.settings),
        now=now,
    )
    brief = brief_open_pull(session, clone, pull, config=config, model=model, now=now)
    return replace(brief, url=None)


def brief_open_pull(
    session: Session,
    clone: Clone,
    pull: "Pull",
    *,
    config: RepositoryConfig,
    model: str | None = None,
    now: datetime,
) -> "Brief":
    """The brief of a pull whose commits the clone has; `clone.ref` is the branch learnt from.

    Raises InputError, NotEnoughDataError if no merge there names a pull or its commits cannot be
    read, ModelError.
    """
    from pullrisk.brief.make import BriefMaker
    from pullrisk.model.metadata import OperatingPoints

    with FoldedClone(session, clone) as folded:
        (completed,) = folded.complete([pull])
        if completed.files is None:
            raise NotEnoughDataError("its commits cannot be compared with the branch it goes into")
        bands = bands_of(config, completed)
        points = OperatingPoints(high=bands.high, elevated=bands.elevated)
        scorer, _ = folded.scorer(model, points=points)
        return BriefMaker(scorer, folded.diffs()).brief(completed, now=now)
