"""Makes the bundled sample anew, from clones.

    python tools/make_sample.py FOLDER [--output sample] [--repository OWNER/NAME]...

FOLDER holds clones, bare or not, named owner__name, as for the general model. Each is read as
`pullrisk fetch --git` reads it, into a store of its own whose salt is thrown away with it, so that
no pseudonym can be tied to an address again. The records are written as `pullrisk store export`
writes them, without two things that nothing learns from here, for the sake of size and privacy: the
SHA of the head, and all lines of a body without which it says the same of earlier pulls.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from re import compile as pattern
from typing import Final

from msgspec.structs import replace

from pullrisk.cli.display.progress import progress as progress_display
from pullrisk.errors import InputError, PullriskError
from pullrisk.features import RepositoryHistory
from pullrisk.features.pull_text import names_reverted
from pullrisk.features.replay import replay
from pullrisk.fetch.git.fetch import fetch_git
from pullrisk.fetch.salt import read_salt
from pullrisk.progress import Progress
from pullrisk.pulls.export import records_of, write_records
from pullrisk.pulls.outcomes.claims import claims, is_reland, is_revert
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore

REPOSITORIES: Final = (
    "astral-sh/uv", "rust-lang/cargo", "kedro-org/kedro", "argoproj/argo-rollouts",
)  # fmt: skip
"""Four ways of working in three languages, with enough repairs to train on, in 4 MB."""
_ADDRESS: Final = pattern(r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one file of each repository; returns the exit code."""
    options = _options().parse_args(arguments)
    progress = progress_display(quiet=False)
    try:
        for name in options.repository or REPOSITORIES:
            _make(name, options.clones, options.output, progress)
    except PullriskError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _make(name: str, clones: Path, output: Path, progress: Progress) -> None:
    path = output / f"{name.replace('/', '__')}.jsonl.gz"
    clone = clone_of(name, clones)
    with tempfile.TemporaryDirectory() as home, SqliteStore(Path(home) / "pulls.sqlite") as store:
        salt = read_salt(Path(home) / "salt")
        fetch_git(clone, store, salt=salt, progress=progress, repository=name)
        records = [reduced(pull) for pull in records_of(store, name)]
    write_records(path, records)
    print(f"{path}: {path.stat().st_size:,} bytes, {counts_of(records)}")


def counts_of(records: Sequence[Pull]) -> str:
    """How many pulls and pushes there are, and how many pulls were repaired or reverted."""
    numbers = {"repair": set[int](), "revert": set[int]()}
    for block in replay(RepositoryHistory(records[0].repository), records):
        for link in chain.from_iterable(block.links):
            if link.kind in numbers and link.number > 0:
                numbers[link.kind].add(link.number)
    pushes = sum(pull.is_push for pull in records)
    return (
        f"{len(records) - pushes:,} pulls, {pushes:,} pushes, "
        f"{len(numbers['repair']):,} repaired, {len(numbers['revert']):,} reverted"
    )


def clone_of(name: str, clones: Path) -> Path:
    """The clone of the repository in the folder. Raises InputError if there is none."""
    path = clones / name.replace("/", "__")
    if not path.is_dir():
        raise InputError(f"{name} has no clone at {path}")
    return path


def reduced(pull: Pull) -> Pull:
    """The record without what neither outcomes nor features read.

    Raises InputError for one that still holds an e-mail address.
    """
    kept = replace(pull, body=_reduced_body(pull), head_sha=None)
    texts = (kept.title, kept.body, kept.author, kept.head_ref, kept.head_repository)
    if any(_ADDRESS.search(text or "") for text in texts):
        raise InputError(f"{pull.repository}#{pull.number} holds an e-mail address")
    return kept


def _reduced_body(pull: Pull) -> str:
    """The body without every line that makes no difference."""
    wanted = _read(pull)
    if _read(replace(pull, body="")) == wanted:
        return ""
    lines = pull.body.splitlines()
    for many in (100, 10, 1):
        for place in reversed(range(0, len(lines), many)):
            fewer = [*lines[:place], *lines[place + many :]]
            if _read(replace(pull, body="\n".join(fewer))) == wanted:
                lines = fewer
    return "\n".join(lines)


def _read(pull: Pull) -> tuple[object, ...]:
    """All that outcomes and features read of a body."""
    return claims(pull), is_revert(pull), is_reland(pull), names_reverted(pull.body)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make_sample", description=__doc__.splitlines()[0])
    parser.add_argument("clones", type=Path, metavar="FOLDER", help="folder of clones")
    parser.add_argument("--output", type=Path, default=Path("sample"), metavar="FOLDER")
    parser.add_argument("--repository", action="append", metavar="OWNER/NAME", help="repeatable")
    return parser


if __name__ == "__main__":
    sys.exit(main())
