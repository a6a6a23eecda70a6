"""Which pull requests a command is about: of the store, of files, of a clone."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pullrisk.cli.display.console import note, warn
from pullrisk.errors import InputError
from pullrisk.wiring.fetching import read_pulls
from pullrisk.wiring.scoring import Clone, FoldedClone
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import ScoredPull
    from pullrisk.fetch.report import BadLine
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.store import PullStore

PULL_OF: Final = r"(?:https?://[^/\s]+/)?(?P<repository>[^/#\s]+/[^/#\s]+)(?:#|/pull/)"
"""What stands before the number of a pull request: `owner/name#`, or its address."""
NUMBER: Final = r"[1-9]\d{0,17}"
_REFERENCE: Final = re.compile(rf"{PULL_OF}(?P<number>{NUMBER})")


def clone_of(
    git: Path, repositories: list[str] | None, ref: str | None, *, branches: bool = False
) -> Clone:
    """The clone of --git; --repository names it where its remote does not."""
    from pullrisk.fetch.git.program import top_of

    name = next(iter(repositories or ()), None)
    return Clone(path=top_of(git), repository=name, ref=ref, branches=branches)


def read_files(
    session: Session,
    files: Sequence[str] | None,
    repositories: Sequence[str],
    *,
    skipped: "list[BadLine] | None" = None,
) -> "list[Pull] | None":
    """The pulls of the files, None without files; the first repository is of those that name none.

    That there is no pull is said: a list of what is open may be empty.
    """
    if not files:
        return None
    repository = next(iter(repositories), None)
    skip = None if skipped is None else skipped.append
    pulls = [
        pull
        for path in files
        for pull in read_pulls(path, repository=repository, skipped=skip, settings=session.settings)
    ]
    if not pulls:
        note(f"there is no pull request in {', '.join(files)}")
    return pulls


def warn_of_lack(folded: FoldedClone) -> None:
    """Say what the clone lacks, so that less is told than of a whole one, and the home."""
    for warning in filter(None, (folded.lack, folded.unkept)):
        warn(warning)


def riskiest_first(scored: "Sequence[ScoredPull]") -> "list[ScoredPull]":
    """By risk, or by novelty where the model has no risk."""
    return sorted(scored, key=lambda score: (-(score.risk or 0.0), -score.novelty))


def stored(store: "PullStore", reference: str) -> "Pull":
    """The pull request of the store with this reference. Raises InputError."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(
            f"{reference!r} names no pull request",
            hint="write owner/name#number, or name a file with --file",
        )
    pull = store.get(match["repository"], int(match["number"]))
    if pull is None:
        raise InputError(
            f"{reference} is not in the store",
            hint="run `pullrisk fetch`, or score it from a file with --file",
        )
    return pull
