"""Which repairs are read from real clones, against those of ../shared/data/lines.

    make bench-repairs ARGS="FOLDER [--only owner/name]"

FOLDER holds clones as owner+name/repo. The data has, for commits whose title says that they fix
something, every pull whose code lines they remove. Of its pairs within 90 days: `wording` is the
share whose fixer says so here too; `found` the share of the latter that are linked here, of those
that the rules of shares, fixes and bulk changes leave; `also` the links here of the data's fixers
that the data has not. `repaired` are pulls repaired within 90 days, here and in the data.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow.parquet as pq

from clone_data import SHARED, read_events
from pullrisk.pulls.outcomes import Linker, says_fix
from pullrisk.pulls.outcomes.fixes import LEAST_SHARE, MOST_FILES, is_bulk
from pullrisk.pulls.record import Pull

DATA: Final = SHARED / "data" / "lines"
DAYS: Final = 90

Pair = tuple[int, int]
"""(the fix, the pull whose lines it removes)."""


class Repairs(NamedTuple):
    """The pulls of one repository by number, and the repairs within DAYS days."""

    pulls: dict[int, Pull]
    pairs: set[Pair]


def read_clone(clone: Path, name: str) -> Repairs:
    """What the product reads."""
    events = read_events(clone, name)
    linker, pulls = Linker(), {pull.number: pull for pull in events if not pull.is_push}
    pairs = {
        (pull.number, link.number)
        for pull in events
        for link in linker.observe(pull)
        if link.kind == "repair" and pull.number in pulls and link.number in pulls
    }
    return Repairs(pulls, {pair for pair in pairs if _is_soon(pulls, *pair)})


def _is_soon(pulls: dict[int, Pull], fix: int, origin: int) -> bool:
    later, earlier = pulls[fix].merged_at, pulls[origin].merged_at
    return later is not None and earlier is not None and 0 <= (later - earlier).days < DAYS


def read_data(name: str, pulls: dict[int, Pull]) -> dict[Pair, int]:
    """The data's pairs of pulls that the clone has too, with the lines."""
    table = pq.read_table(DATA / "repairs.parquet", filters=[("repo", "=", name)])
    return {
        (row["fixer"], row["origin"]): row["lines"]
        for row in table.to_pylist()
        if row["lag_days"] < DAYS and row["fixer"] in pulls and row["origin"] in pulls
        if row["fixer"] != row["origin"]
    }


def row(name: str, here: Repairs, data: dict[Pair, int]) -> str:
    """One line of the table."""
    pulls, fixers = here.pulls, {fix for fix, _ in data}
    said = {pair for pair in data if says_fix(pulls[pair[0]])}
    kept = {pair for pair in said if _is_kept(pulls, pair, data[pair])}
    found = len(kept & here.pairs)
    ours = {pair for pair in here.pairs if pair[0] in fixers}
    wording, share = len(said) / max(1, len(data)), found / max(1, len(kept))
    repaired = len({origin for _, origin in here.pairs})
    theirs = len({origin for _, origin in data})
    return (
        f"{name:32}{len(data):7,}{wording:9.1%}{len(kept):7,}{share:8.1%}"
        f"{len(ours - set(data)):6,}{repaired:10,}{theirs:9,}{len(pulls):9,}"
    )


def _is_kept(pulls: dict[int, Pull], pair: Pair, lines: int) -> bool:
    fix, origin = pulls[pair[0]], pulls[pair[1]]
    removed = 0 if fix.lines is None else fix.lines.code_removed
    few = (fix.changed_files or 0) <= MOST_FILES
    return few and not is_bulk(origin) and lines >= LEAST_SHARE * removed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", metavar="OWNER/NAME", help="one repository")
    options = parser.parse_args(arguments)
    names = set(pq.read_table(DATA / "repairs.parquet", columns=["repo"])["repo"].to_pylist())
    print(
        f"{'repository':32}{'pairs':>7}{'wording':>9}{'kept':>7}{'found':>8}{'also':>6}"
        f"{'repaired':>10}{'in data':>9}{'pulls':>9}"
    )
    for name in sorted(names if options.only is None else {options.only}):
        clone = options.folder / name.replace("/", "+") / "repo"
        if clone.is_dir():
            here = read_clone(clone, name)
            print(row(name, here, read_data(name, here.pulls)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
