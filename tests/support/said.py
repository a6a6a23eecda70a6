"""Made-up titles and paths whose words speak of a category, half of them with a prefix."""

import numpy as np
import pyarrow as pa

TITLES = {
    "fix": ("fix: ", "crash when the list is empty", "src/list.py"),
    "documentation": ("docs: ", "explain the options", "docs/options.md"),
    "feature": ("feat(api): ", "allow several lists", "src/api.py"),
    "dependency update": ("chore(deps): ", "bump left-pad from 1.0 to 2.0", "package.json"),
}


def with_said(table: pa.Table, *, seed: int = 0) -> tuple[pa.Table, list[str]]:
    """The table with what each pull says of itself, and every pull's true category."""
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
