"""What --git and --repository name, for the commands that score a clone.

Apart from the options that every command shares: whoever imports those needs nothing that scores.
"""

from pathlib import Path

from pullrisk.wiring.scoring import Clone


def clone_of(
    git: Path, repositories: list[str] | None, ref: str | None, *, branches: bool = False
) -> Clone:
    """The clone of --git; --repository names it where its origin does not."""
    name = next(iter(repositories or ()), None)
    return Clone(path=git, repository=name, ref=ref, branches=branches)
