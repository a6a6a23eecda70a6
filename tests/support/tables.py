"""Synthetic feature tables with a signal: pulls of a few repositories, some of them reverted."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pullrisk.features.schema import Feature
from pullrisk.train.dataset import MICROSECONDS_PER_DAY

FEATURES = (
    Feature("additions", "size", "lines", "lines added", "log"),
    Feature("changed_files", "size", "files", "files changed", "log"),
    Feature("author_failure_rate", "author", "share", "share of the author's pulls that failed"),
    Feature("author_new", "author", "flag", "the author's first pull here", "flag"),
    Feature("churn_score", "relative size", "standard deviations", "size relative to usual"),
    Feature("constant", "time", "days", "always the same"),
)
NAMES = tuple(feature.name for feature in FEATURES)
SCHEMA = "0123456789abcdef"
START = 1_600_000_000_000_000
TITLES = {
    "fix": ("fix: ", "crash when the list is empty", "src/list.py"),
    "documentation": ("docs: ", "explain the options", "docs/options.md"),
    "feature": ("feat(api): ", "allow several lists", "src/api.py"),
    "dependency update": ("chore(deps): ", "bump left-pad from 1.0 to 2.0", "package.json"),
}
"""Category → a prefix that says so, a title and a path whose words speak of it."""
Row = tuple[float, int, bool, list[dict[str, object]], np.ndarray]
"""Days since the start, number, example, links, x."""
LINK = pa.struct(
    [
        ("kind", pa.string()),
        ("number", pa.int64()),
        ("evidence", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("lines", pa.int32()),
    ]
)


def feature_table(
    pulls: int = 1500,
    *,
    repositories: int = 2,
    rate: float = 0.08,
    days: float = 1000,
    seed: int = 0,
    curved: bool = False,
) -> pa.Table:
    """`pulls` pulls of each repository; risk grows with the author's failures and the size.

    Where it is `curved`, with the distance from the usual size, which no line can follow.
    A reverted pull is named by a revert some days later, which is no example.
    """
    parts = [
        _repository(
            f"owner/{place}", pulls, rate, days, np.random.default_rng([seed, place]), curved
        )
        for place in range(repositories)
    ]
    return pa.concat_tables(parts)


def _repository(
    name: str, pulls: int, rate: float, days: float, random: np.random.Generator, curved: bool
) -> pa.Table:
    size = random.normal(3, 1.2, pulls)
    failures = random.beta(1, 20, pulls)
    new = random.random(pulls) < 0.1
    x = np.stack(
        [
            np.round(np.exp(size)),
            np.round(np.exp(size / 2 + random.normal(0, 0.3, pulls))),
            failures,
            new,
            (size - 3) / 1.2,
            np.full(pulls, 7.0),
        ],
        axis=1,
    )
    push = (1.5 * np.abs(size - 3) if curved else size - 3) + 20 * (failures - 0.05) + new
    chance = rate * np.exp(push) / np.exp(push).mean() if rate else np.zeros(pulls)
    merged = np.sort(random.uniform(0, days, pulls))
    rows: list[Row] = [
        (merged[i], i + 1, True, [], x[i]) for i in range(pulls)
    ]  # fmt: skip
    for i in np.flatnonzero(random.random(pulls) < chance).tolist():
        at = merged[i] + random.exponential(8) + 0.01
        if at < days:
            link = {"kind": "revert", "number": i + 1, "evidence": "body"}
            rows.append((at, 10**6 + i, False, [link], x[i]))
    rows.sort(key=lambda row: row[0])
    return make_table(name, rows)


def make_table(name: str, rows: Sequence[Row]) -> pa.Table:
    """The lake's table of one repository."""
    merged = [START + round(row[0] * MICROSECONDS_PER_DAY) for row in rows]
    matrix = np.array([row[4] for row in rows], np.float32)
    return pa.table(
        {
            "repository": [name] * len(rows),
            "number": pa.array([row[1] for row in rows], pa.int64()),
            "merged_at": pa.array(merged, pa.timestamp("us", tz="UTC")),
            "author": pa.nulls(len(rows), pa.string()),
            "example": [row[2] for row in rows],
            **{column: matrix[:, place] for place, column in enumerate(NAMES)},
            "links": pa.array([row[3] for row in rows], pa.list_(LINK)),
            "run": pa.array([1] * len(rows), pa.int64()),
        }
    )


def with_repairs(table: pa.Table, *, share: float = 0.6) -> pa.Table:
    """The same table from a source that knows whose lines a change rewrites: of the outcomes so
    large a share are repairs.
    """
    random = np.random.default_rng(0)
    links = [
        [each | {"kind": "repair"} for each in own] if random.random() < share else own
        for own in table["links"].to_pylist()
    ]
    column = table.column_names.index("links")
    table = table.set_column(column, "links", pa.array(links, pa.list_(LINK)))
    return table.append_column("rewritten_origins", pa.array(np.zeros(table.num_rows, np.float32)))


def with_titles(table: pa.Table, *, seed: int = 0) -> tuple[pa.Table, list[str]]:
    """The table with what each pull says of itself, half with a prefix; and the true categories."""
    random = np.random.default_rng(seed)
    names = random.choice(list(TITLES), table.num_rows).tolist()
    prefixed = random.random(table.num_rows) < 0.5
    titles = [
        TITLES[name][0] * bool(shown) + f"{TITLES[name][1]} {random.integers(100)}"
        for name, shown in zip(names, prefixed, strict=True)
    ]
    columns = {
        "title": pa.array(titles, pa.string()),
        "labels": pa.array([[]] * table.num_rows, pa.list_(pa.string())),
        "paths": pa.array([[TITLES[name][2]] for name in names], pa.list_(pa.string())),
        "says_reverts": pa.array([False] * table.num_rows),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table, names
