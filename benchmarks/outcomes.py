"""How well revert and hot-fix links are found, against the labels of ../shared/data.

    make bench-outcomes ARGS="[--json] [--only owner/name] [--misses]"

Truth: pulls labelled `reverted` whose reverting pull is in the data, as (reverted, reverting).
Recall counts those very pairs. Precision also takes a pair as right where the labels list it and
call the pull wholly reverted, though by another pull first ("again"); `strict` does not. A pair
whose pull the labels call partly reverted is wrong and has a column of its own ("partly"), and so
have pairs that the labels do not know ("unlab."). Exit code 1 where the total misses recall 0.95
or precision 0.97, of links or of reverted pulls.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from clone_data import SHARED
from pullrisk.pulls.outcomes import Linker
from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest

DATA = SHARED / "data"
RECALL, PRECISION = 0.95, 0.97
COLUMNS = [
    "repo", "number", "reverted", "reverted_by", "revert_level", "reverted_partial",
    "reverts_numbers", "hotfixed", "hotfixed_by",
]  # fmt: skip

Pair = tuple[int, int]
"""(the earlier pull, the pull that undoes or repairs it)."""


class Labels(msgspec.Struct):
    """What pulls.parquet says about one repository."""

    reverts: set[Pair] = msgspec.field(default_factory=set)
    by_title: set[Pair] = msgspec.field(default_factory=set)
    listed: set[Pair] = msgspec.field(default_factory=set)
    reverted: set[int] = msgspec.field(default_factory=set)
    partly: set[int] = msgspec.field(default_factory=set)
    hotfixes: set[Pair] = msgspec.field(default_factory=set)


class Score(msgspec.Struct):
    """Counts of one repository and one way of looking; sums add up."""

    reverts: int = 0
    found: int = 0
    right: int = 0
    partly: int = 0
    again: int = 0
    unlabelled: int = 0
    pulls: int = 0
    pulls_found: int = 0
    pulls_right: int = 0
    pulls_reverted: int = 0
    partial_links: int = 0
    hotfixes: int = 0
    hotfixes_found: int = 0
    hotfixes_right: int = 0
    relands: int = 0
    by_title: int = 0
    by_title_right: int = 0
    merged: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Score") -> "Score":
        values = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Score(*(mine + theirs for mine, theirs in values))

    def shares(self) -> dict[str, float]:
        """Recall and precision of links, of reverted pulls and of hot-fixes."""
        return {
            "recall": _share(self.right, self.reverts),
            "precision": _share(self.right + self.again, self.found),
            "strict_precision": _share(self.right, self.found),
            "pull_recall": _share(self.pulls_right, self.pulls),
            "pull_precision": _share(self.pulls_reverted, self.pulls_found),
            "title_level_recall": _share(self.by_title_right, self.by_title),
            "hotfix_recall": _share(self.hotfixes_right, self.hotfixes),
            "hotfix_precision": _share(self.hotfixes_right, self.hotfixes_found),
            "us_per_pull": _share(self.seconds * 1e6, self.merged),
        }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def read_labels() -> dict[str, Labels]:
    """The labels of every repository; pairs only where both pulls are in the data."""
    rows = pq.read_table(DATA / "pulls.parquet", columns=COLUMNS).to_pylist()
    known = {(row["repo"], row["number"]) for row in rows}
    by_repository: dict[str, Labels] = {}
    for row in rows:
        labels, number = by_repository.setdefault(row["repo"], Labels()), row["number"]
        labels.listed.update((earlier, number) for earlier in row["reverts_numbers"] or ())
        if row["reverted"]:
            labels.reverted.add(number)
            if (row["repo"], row["reverted_by"]) in known:
                labels.reverts.add((number, row["reverted_by"]))
                if row["revert_level"] == "title":
                    labels.by_title.add((number, row["reverted_by"]))
        if row["reverted_partial"]:
            labels.partly.add(number)
        if row["hotfixed"] and (row["repo"], row["hotfixed_by"]) in known:
            labels.hotfixes.add((number, row["hotfixed_by"]))
    return by_repository


def read_pulls(path: Path) -> list[Pull]:
    """The pulls of one file, in event order."""
    with gzip.open(path) as lines:
        pulls = [parse_rest(line) for line in lines]
    return sorted(pulls, key=lambda pull: (pull.merged_at, pull.number))


def measure(pulls: Sequence[Pull], labels: Labels) -> tuple[Score, set[Pair]]:
    """The score of one repository, and the revert pairs that were found."""
    linker, links = Linker(), dict[str, set[Pair]]()
    start = time.process_time()
    observed = [linker.observe(pull) for pull in pulls]
    seconds = time.process_time() - start
    for pull, made in zip(pulls, observed, strict=True):
        for link in made:
            links.setdefault(link.kind, set()).add((link.number, pull.number))
    found, hotfixes = links.get("revert", set()), links.get("hotfix", set())
    again = {pair for pair in found & labels.listed if pair[0] in labels.reverted} - labels.reverts
    wrong = found - labels.reverts - again
    truth, named = {n for n, _ in labels.reverts}, {n for n, _ in found}
    score = Score(
        reverts=len(labels.reverts),
        found=len(found),
        right=len(found & labels.reverts),
        partly=sum(n in labels.partly for n, _ in wrong),
        again=len(again),
        unlabelled=sum(n not in labels.partly for n, _ in wrong),
        pulls=len(truth),
        pulls_found=len(named),
        pulls_right=len(named & truth),
        pulls_reverted=len(named & labels.reverted),
        partial_links=len(links.get("partial_revert", ())),
        hotfixes=len(labels.hotfixes),
        hotfixes_found=len(hotfixes),
        hotfixes_right=len(hotfixes & labels.hotfixes),
        relands=len(links.get("reland", ())),
        by_title=len(labels.by_title),
        by_title_right=len(found & labels.by_title),
        merged=len(pulls),
        seconds=seconds,
    )
    return score, found


def without_bodies(pulls: Iterable[Pull]) -> list[Pull]:
    """The same pulls with every body blank."""
    return [msgspec.structs.replace(pull, body="") for pull in pulls]


def print_table(title: str, scores: dict[str, Score]) -> None:
    """One line a repository and the total."""
    print(f"\n{title}")
    print(
        f"{'repository':32}{'reverts':>8}{'found':>7}{'right':>7}{'partly':>7}{'again':>7}"
        f"{'unlab.':>7}{'recall':>8}{'prec.':>8}{'strict':>8}{'pulls r':>9}{'pulls p':>9}"
        f"{'us/pull':>9}"
    )
    for name, score in scores.items():
        share = score.shares()
        print(
            f"{name:32}{score.reverts:8}{score.found:7}{score.right:7}{score.partly:7}"
            f"{score.again:7}{score.unlabelled:7}{share['recall']:8.3f}"
            f"{share['precision']:8.3f}{share['strict_precision']:8.3f}{share['pull_recall']:9.3f}{share['pull_precision']:9.3f}"
            f"{share['us_per_pull']:9.2f}"
        )


def print_rest(scores: dict[str, Score]) -> None:
    """Totals of what the tables leave out."""
    for name, score in scores.items():
        share = score.shares()
        print(
            f"\n{name}: partial reverts {score.partial_links}, relands {score.relands}; "
            f"reverts that their title declares: recall {share['title_level_recall']:.3f} of "
            f"{score.by_title}; hot-fixes: {score.hotfixes} labelled, {score.hotfixes_found} "
            f"found, {score.hotfixes_right} right (recall {share['hotfix_recall']:.3f}, "
            f"precision {share['hotfix_precision']:.3f}; this data keeps no body that blames)"
        )


def print_misses(pulls: Sequence[Pull], labels: Labels, found: set[Pair]) -> None:
    """Every pair missed or found in excess, with both titles."""
    titles = {pull.number: pull.title for pull in pulls}
    for mark, pairs in (("missed", labels.reverts - found), ("excess", found - labels.reverts)):
        for number, by in sorted(pairs):
            why = " (partly)" if number in labels.partly else ""
            print(f"{mark}{why} {number} {titles[number][:90]!r} <- {by} {titles[by][:90]!r}")


def passes(score: Score) -> bool:
    """Whether the targets are met, for links and for reverted pulls."""
    share = score.shares()
    recalls, precisions = ("recall", "pull_recall"), ("precision", "pull_precision")
    return all(share[name] >= RECALL for name in recalls) and all(
        share[name] >= PRECISION for name in precisions
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 where the targets are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", metavar="OWNER/NAME", help="one repository")
    parser.add_argument("--misses", action="store_true", help="print every missed and excess pair")
    options = parser.parse_args(arguments)
    full, titles = dict[str, Score](), dict[str, Score]()
    for repository, labels in sorted(read_labels().items()):
        if options.only in (None, repository):
            pulls = read_pulls(DATA / "github" / f"{repository.replace('/', '__')}.jsonl.gz")
            full[repository], found = measure(pulls, labels)
            titles[repository], _ = measure(without_bodies(pulls), labels)
            if options.misses:
                print_misses(pulls, labels, found)
    for scores in (full, titles):
        scores["total"] = sum(scores.values(), Score())
    if options.json:
        print(json.dumps({"full": _plain(full), "titles": _plain(titles)}, indent=2))
    else:
        print_table("titles and bodies", full)
        print_table("titles alone", titles)
        print_rest({"titles and bodies": full["total"], "titles alone": titles["total"]})
    return 0 if passes(full["total"]) else 1


def _plain(scores: dict[str, Score]) -> dict[str, Any]:
    return {name: msgspec.structs.asdict(score) | score.shares() for name, score in scores.items()}


if __name__ == "__main__":
    sys.exit(main())
