"""The model's network on other people's labelled tables, beside its peers on the same columns.

    make bench-tables ARGS="[--table FILE --label COLUMN [--time COLUMN] [--project COLUMN]]
                            [--effort A,B] [--drop A,B] [--seeds N] [--folds N] [--json]"

Any CSV or Parquet file will do: its label is 0/1 or true/false, its other columns numbers, flags
or a few words. With --time the first 80 % of the rows are learnt from and the rest is judged,
and columns that only the order of time can give are added, for every model alike; without it the
split is random. Without --table: the four just-in-time defect tables of ../shared/data/external and
the latest 30,000 rows of its pull-request table (--most 0: all 370,411, which takes hours). Figures
carry 95 % bootstrap intervals, differences are paired.
--folds N instead judges a random N-fold cross-validation, which is optimistic and only serves to
compare with papers that did so.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from table_figures import MEAN, PUBLISHED, Result, judge, mean_of, text
from table_history import with_history
from table_models import Part, Scores, models
from table_reading import Columns, Table, read_table, without_gaps

ROOT = Path(__file__).resolve().parents[1]
EXTERNAL = ROOT.parent / "shared" / "data" / "external"
JIT: Final = Columns(label="buggy", time="date", effort=("la", "ld"), drop=("commit",))
PULLS: Final = Columns(
    label="merged",
    time="created_at",
    project="project_name",
    effort=("src_churn", "test_churn"),
    drop=(
        "merged_at", "mergetime_minutes", "merged_using", "closed_at", "lifetime_minutes",
        "num_comments", "num_commit_comments", "num_issue_comments", "num_participants",
        "pull_req_id", "github_id", "repo_full_name", "requester",
    ),
)  # fmt: skip
"""Outcomes and what is counted until the pull is closed are dropped: they tell the label."""
MOST: Final = 30_000
"""Rows of a table: the peers' search for their settings takes hours on ten times as many."""


def main() -> int:
    """Measure and print; exit code 1 where the jit tables' target is missed."""
    options = _options()
    results = list[Result]()
    try:
        for path, columns in _asked(options):
            results.append(_measure(path, columns, options))
            if not options.json:
                print(text(results[-1]), end="\n\n", flush=True)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    jit = [result for result in results if result.name in PUBLISHED]
    if len(jit) > 1:
        results.append(mean_of(jit))
        if not options.json:
            print(text(results[-1]))
    if options.json:
        print(json.dumps([result.plain() for result in results]))
    missed = [result for result in results if result.name == MEAN and result.missed]
    return int(bool(missed) and not options.table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, action="append", help="a CSV or Parquet file")
    parser.add_argument("--label", help="the column of 0 and 1 to predict")
    parser.add_argument("--time", help="the column that orders rows: seconds or timestamps")
    parser.add_argument("--project", help="the column to judge within, never an input")
    parser.add_argument(
        "--effort", default="", help="columns that add up to a row's size, lines added first"
    )
    parser.add_argument("--drop", default="", help="columns that are no input (they leak)")
    parser.add_argument(
        "--only", default="", help="models to run, such as 'pullrisk,random forest'"
    )
    parser.add_argument("--seeds", type=int, default=1, help="runs, whose figures are averaged")
    parser.add_argument("--folds", type=int, default=0, help="random cross-validation instead")
    parser.add_argument("--most", type=int, help="the latest so many rows, of more; 0 for all")
    parser.add_argument(
        "--until", type=float, default=1.0, help="only so much of the earliest rows"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.most is None:
        options.most = 0 if options.table else MOST
    if options.table and not options.label:
        parser.error("--table needs --label")
    if not options.table and not EXTERNAL.is_dir():
        parser.error(f"there is no {EXTERNAL}: name a file with --table and its --label")
    return options


def _asked(options: argparse.Namespace) -> list[tuple[Path, Columns]]:
    if options.table:
        columns = Columns(
            options.label, options.time, options.project, _words(options.effort),
            _words(options.drop),
        )  # fmt: skip
        return [(path, columns) for path in options.table]
    jit = [(path, JIT) for path in sorted((EXTERNAL / "jit").glob("*.parquet"))]
    return [*jit, *((path, PULLS) for path in sorted(EXTERNAL.glob("gousios*.parquet")))]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _measure(path: Path, columns: Columns, options: argparse.Namespace) -> Result:
    table = read_table(path, columns)
    table = _rows(table, slice(0, round(options.until * len(table))))
    if options.most:
        table = _rows(table, slice(max(0, len(table) - options.most), None))
    chosen = _words(options.only) or tuple(models())
    if options.folds:
        return _cross_validated(table, chosen, options)
    if table.seconds is None:
        table = _rows(table, np.random.default_rng(0).permutation(len(table)))
    known = round(0.8 * len(table))
    table = without_gaps(table, known)
    x, names = with_history(table, known)
    labels, project = table.labels, table.project
    part = Part(names, x[:known], labels[:known], project[:known], x[known:])
    scores, seconds = _run(part, chosen, options.seeds)
    return judge(_rows(table, slice(known, None)), scores, seconds, learnt=known)


def _cross_validated(table: Table, chosen: Sequence[str], options: argparse.Namespace) -> Result:
    fold = np.random.default_rng(0).permutation(len(table)) % options.folds
    table = without_gaps(table, len(table))
    scores = {name: [np.zeros(len(table)) for _ in range(options.seeds)] for name in chosen}
    seconds = dict.fromkeys(chosen, 0.0)
    for number in range(options.folds):
        apart = fold == number
        part = Part(
            table.names, table.x[~apart], table.labels[~apart], table.project[~apart],
            table.x[apart],
        )  # fmt: skip
        found, took = _run(part, chosen, options.seeds)
        for name in chosen:
            seconds[name] += took[name]
            for whole, some in zip(scores[name], found[name], strict=True):
                whole[apart] = some.argsort().argsort() / len(some)
    named = replace(table, name=f"{table.name}, random {options.folds}-fold")
    return judge(named, scores, seconds, learnt=len(table))


def _run(
    part: Part, chosen: Sequence[str], seeds: int
) -> tuple[dict[str, list[Scores]], dict[str, float]]:
    scores, seconds = dict[str, list[Scores]](), dict[str, float]()
    for name in chosen:
        started = time.perf_counter()
        scores[name] = [models()[name](part, seed) for seed in range(seeds)]
        seconds[name] = (time.perf_counter() - started) / seeds
    return scores, seconds


def _rows(table: Table, rows: slice | NDArray[np.int64]) -> Table:
    return replace(
        table,
        x=table.x[rows],
        labels=table.labels[rows],
        project=table.project[rows],
        seconds=None if table.seconds is None else table.seconds[rows],
        effort=None if table.effort is None else table.effort[rows],
    )


if __name__ == "__main__":
    sys.exit(main())
