"""How good the parts of a brief are that a repository's history tells, on later pull requests.

    make bench-brief ARGS="FOLDER [--quarter 3] [--only owner/name] [--json]"

FOLDER holds pull stores as owner+name.sqlite, read with lines, or clones as owner+name/repo. Each
history is replayed; the pulls of the last quarter (--quarter 3: of the third, on which parameters
are chosen) are asked about as of their merge.

where    pulls with 6 source files and more that needed a fix within 90 days: a file that the fix
         changed is first, among the first 3; beside the most changed lines first; and first where
         the brief names places at all, with the share of the pulls where it does
missing  hints with one file of the pull hidden: how many are that file; hints per 100 whole pulls;
         share repaired with a hint against without, among pulls of as many files
who      pulls whose reviewers are known: one of them is among the three named
last     shown earlier pulls that share a repaired or reverted file with the pull; per 100 pulls
cost     milliseconds of all parts together for a pull, on average and of the slowest hundredth
"""

import argparse
import json
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

from msgspec.structs import replace

from clone_data import read_events
from pullrisk.brief.hotspots import heats, places
from pullrisk.brief.index import index_of
from pullrisk.brief.missing import missing
from pullrisk.brief.past import Past
from pullrisk.brief.precedents import precedents
from pullrisk.brief.reviewers import reviewers
from pullrisk.features import RepositoryHistory
from pullrisk.features.failures import REPAIR, WHOLE
from pullrisk.features.reviewers import reviewers_of
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import SOURCE, path_facts
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore

SOON = 90 * DAY
MANY = 6
SIZES = (2, 4, 8, 16)


class Counts(Counter[str]):
    """Sums by name."""

    def rate(self, part: str, whole: str) -> float:
        """A share, 0 of nothing."""
        return self[part] / self[whole] if self[whole] else 0.0


class Judge:
    """Asks about the pulls of one repository's quarter, and judges the answers."""

    def __init__(self, name: str) -> None:
        self.history = RepositoryHistory(name)
        self.counts = Counts()
        self.milliseconds: list[float] = []
        self._ranked: list[tuple[int, list[str], list[str], bool]] = []
        self._sizes: dict[int, tuple[int, bool]] = {}

    def ask(self, pull: Pull) -> None:
        """Judge one pull just before its merge."""
        moment = pull.merged_at
        if moment is None:
            return
        index_of(self.history)
        started = time.process_time()
        seen = Past(self.history, pull, moment)
        told = [part(seen) for part in (places, precedents)]
        hints = missing(seen)
        people = reviewers(seen)
        self.milliseconds.append(1e3 * (time.process_time() - started))
        self.counts["pulls"] += 1
        self._where(pull, shown=bool(told[0]))
        self._missing(pull, len(hints))
        self._who(pull, [each.name for each in people])
        self._last(pull)

    def _where(self, pull: Pull, *, shown: bool) -> None:
        files = pull.files or ()
        source = [file for file in files if path_facts(file.path).kind == SOURCE]
        if len(source) < 2 or pull.merged_at is None:
            return
        known = Past(self.history, pull, pull.merged_at)
        ours = [files[each.place].path for each in heats(known)]
        source.sort(key=lambda file: -((file.additions or 0) + (file.deletions or 0)))
        self._ranked.append((pull.number, ours, [file.path for file in source], shown))

    def _missing(self, pull: Pull, hints: int) -> None:
        files, counts = pull.files or (), self.counts
        counts["hints"] += hints
        self._sizes[pull.number] = len(files), hints > 0
        if len(files) < 2 or pull.merged_at is None:
            return
        place = crc32(b"%d" % pull.number) % len(files)
        rest = replace(pull, files=files[:place] + files[place + 1 :])
        for hint in missing(Past(self.history, rest, pull.merged_at)):
            counts["hidden hints"] += 1
            counts["hidden hits"] += hint.path == files[place].path

    def _who(self, pull: Pull, named: list[str]) -> None:
        truth = {name.partition(":")[2].lower() for name in reviewers_of(pull)}
        if not truth or pull.merged_at is None:
            return
        self.counts["reviewed"] += 1
        self.counts["someone named"] += bool(named)
        self.counts["reviewer named"] += any(name.lower() in truth for name in named)

    def _last(self, pull: Pull) -> None:
        if pull.merged_at is None:
            return
        log, known = self.history.log, Past(self.history, pull, pull.merged_at)
        shown = precedents(known)
        self.counts["with precedents"] += bool(shown)
        own = {file for file in known.files if file >= 0}
        repaired = {each.row for file in own for each in known.repairs_of(file)}
        lines = {each.number for each in (pull.lines and pull.lines.rewrites) or ()}
        for each in shown:
            row = log.row(each.number)
            self.counts["shown pairs"] += 1
            if row is not None:
                undone = each.outcome != "repaired" and bool(own.intersection(log.files_of(row)))
                self.counts["shared"] += row in repaired or undone or each.number in lines

    def finish(self) -> None:
        """Judge what only later pulls tell."""
        repaired = self._first_repairs()
        for number, ours, by_churn, shown in self._ranked:
            fixed = repaired.get(number, set()).intersection(ours)
            if not fixed:
                continue
            if shown:
                self.counts["places shown"] += 1
                self.counts["places right"] += ours[0] in fixed
            self.counts["places asked"] += 1
            if len(ours) >= MANY:
                self.counts["many"] += 1
                for name, order in (("ours", ours), ("churn", by_churn)):
                    self.counts[f"{name} first"] += order[0] in fixed
                    self.counts[f"{name} three"] += bool(fixed.intersection(order[:3]))
        for number, (size, hinted) in self._sizes.items():
            group = f"{bisect_left(SIZES, size)} {hinted}"
            self.counts[f"size {group}"] += 1
            self.counts[f"repaired {group}"] += number in repaired

    def _first_repairs(self) -> dict[int, set[str]]:
        """The files that the first repairing change rewrote, by pull, within 90 days."""
        history, first = self.history, dict[int, tuple[int, set[str]]]()
        failures, log = history.failures, history.log
        for row, by, file, kind in zip(
            failures.rows, failures.by, failures.files, failures.kinds, strict=True
        ):
            if kind != REPAIR or row < 0 or file == WHOLE:
                continue
            at = log.merged_at[by] if by >= 0 else history.pushes.merged_at[-1 - by]
            if at - log.merged_at[row] <= SOON:
                fixer, files = first.setdefault(log.numbers[row], (by, set()))
                if fixer == by:
                    files.add(history.touched.files.paths[file])
        return {number: files for number, (_, files) in first.items()}


def figures(counts: Counts) -> dict[str, float]:
    """The measures of the module's text."""
    expected = sum(
        counts.rate(f"repaired {group} False", f"size {group} False") * counts[f"size {group} True"]
        for group in range(len(SIZES) + 1)
    )
    hinted = sum(counts[f"repaired {group} True"] for group in range(len(SIZES) + 1))
    return {
        "pulls": counts["pulls"],
        "where_first": counts.rate("ours first", "many"),
        "churn_first": counts.rate("churn first", "many"),
        "where_three": counts.rate("ours three", "many"),
        "churn_three": counts.rate("churn three", "many"),
        "where_cases": counts["many"],
        "where_shown": counts.rate("places shown", "places asked"),
        "where_shown_right": counts.rate("places right", "places shown"),
        "missing_precision": counts.rate("hidden hits", "hidden hints"),
        "missing_per_100": 100 * counts.rate("hints", "pulls"),
        "missing_repaired_ratio": hinted / expected if expected else 0.0,
        "who": counts.rate("reviewer named", "reviewed"),
        "who_named": counts.rate("someone named", "reviewed"),
        "who_cases": counts["reviewed"],
        "last_shared": counts.rate("shared", "shown pairs"),
        "last_per_100": 100 * counts.rate("with precedents", "pulls"),
    }


def judged(name: str, events: list[Pull], quarter: int) -> Judge:
    """Replay one repository and ask about a quarter of its merged pulls."""
    judge, merged = Judge(name), 0
    total = sum(not event.is_push and event.merged_at is not None for event in events)
    for event in events:
        if not event.is_push and event.merged_at is not None:
            merged += 1
            if (quarter - 1) * total < 4 * merged <= quarter * total:
                judge.ask(event)
        judge.history.observe(event)
    judge.finish()
    return judge


def stores(folder: Path, only: str | None) -> Iterator[tuple[str, Callable[[], list[Pull]]]]:
    """Each repository's name with a function that reads its events."""
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".sqlite").replace("+", "/")
        if only not in (None, name) or "/" not in name:
            continue
        if path.suffix == ".sqlite":
            yield name, partial(_stored, path, name)
        elif (path / "repo").is_dir():
            yield name, partial(read_events, path / "repo", name)


def _stored(path: Path, name: str) -> list[Pull]:
    with SqliteStore(path) as store:
        return list(store.events(name))


def main() -> None:
    """Measure every repository, and all together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quarter", type=int, choices=(2, 3, 4), default=4)
    parser.add_argument("--only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    whole, results, taken = Counts(), dict[str, dict[str, float]](), list[float]()
    for name, read in stores(options.folder, options.only):
        judge = judged(name, read(), options.quarter)
        whole.update(judge.counts)
        taken += judge.milliseconds
        results[name] = {**figures(judge.counts), **_cost(judge.milliseconds)}
        shown_on = sys.stderr if options.json else sys.stdout
        print(_line(name, results[name]), file=shown_on, flush=True)
    results["all"] = {**figures(whole), **_cost(taken)}
    print(json.dumps(results, indent=1) if options.json else _table(results["all"]))


def _cost(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken) or [0.0]
    return {
        "ms_mean": sum(ordered) / len(ordered),
        "ms_p99": ordered[int(0.99 * (len(ordered) - 1))],
    }


def _line(name: str, result: dict[str, float]) -> str:
    chosen = (
        "where_first", "churn_first", "where_three", "churn_three", "missing_precision",
        "missing_per_100", "who", "last_shared", "last_per_100", "ms_mean", "ms_p99",
    )  # fmt: skip
    return f"{name:34}" + " ".join(f"{result[key]:>6.2f}" for key in chosen)


def _table(result: dict[str, float]) -> str:
    return "\n".join(f"{name:24} {value:10.3f}" for name, value in result.items())


if __name__ == "__main__":
    main()
