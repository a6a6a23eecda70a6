import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from support.forked import TRAINING, run_forked
from table_reading import infer_features


def table(rows: int = 600) -> pa.Table:
    """Rows whose label follows their size; `noise` says nothing, one value in ten is missing."""
    random = np.random.default_rng(0)
    size = random.lognormal(3, 1, rows)
    known = random.random(rows) >= 0.1
    return pa.table(
        {
            "lines": pa.array(size, mask=~known),
            "noise": random.normal(size=rows),
            "language": random.choice(["go", "python"], rows),
            "identity": [f"row {number}" for number in range(rows)],
            "project": random.choice(["a", "b", "c"], rows),
            "opened": random.permutation(rows) * 3600,
            "wrong": size + random.lognormal(2, 1, rows) > 35,
        }
    )


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return run_forked([*map(str, words)], env=os.environ, target="tables:main", preload=TRAINING)


def judged(path: Path, *words: object) -> dict[str, Any]:
    only = "pullrisk,logistic regression,IsolationForest"
    done = run("--table", path, "--label", "wrong", "--only", only, "--json", *words)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == 1
    return found[0]


def test_the_network_learns_any_csv_with_gaps_and_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    pyarrow.csv.write_csv(table(), path)

    words = ("--time", "opened", "--project", "project", "--effort", "lines")
    found = judged(path, *words, "--drop", "noise")

    assert (found["learnt"], found["judged"]) == (480, 120)
    ours = found["rows"]["pullrisk"]
    assert ours["auc"]["value"] > 0.8
    assert ours["auc"]["low"] < ours["auc"]["value"] < ours["auc"]["high"]
    assert ours["within"]["value"] > 0.75
    assert found["rows"]["a constant"]["auc"]["value"] == 0.5
    assert found["rows"]["IsolationForest"]["behind"]["low"] > 0


def test_a_table_without_time_is_split_or_folded_at_random(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(table(), path)

    found = judged(path, "--drop", "opened,project", "--folds", 2)

    assert found["judged"] == 600
    assert found["rows"]["logistic regression"]["auc"]["value"] > 0.85


def test_a_value_that_says_who_it_is_is_cut_where_a_smooth_network_sees_nothing(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(3)
    who = random.integers(0, 16, 2_000)
    wrong = random.random(2_000) < np.where(who % 2, 0.9, 0.1)
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"size": 100 + who, "wrong": wrong}), path)

    rows = judged(path)["rows"]

    assert rows["logistic regression"]["auc"]["value"] < 0.7
    assert rows["pullrisk"]["auc"]["value"] > 0.85


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--label", "absent"), "no column absent"),
        (("--label", "lines"), "not 0 and 1"),
        (("--label", "wrong", "--drop", "lines,noise,language,opened,project"), "to learn from"),
    ],
)
def test_a_table_that_cannot_be_judged_is_told(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(table(60), path)

    done = run("--table", path, *words)

    assert done.returncode == 2
    assert told in done.stderr


def test_the_scale_of_an_unknown_column_is_told_by_its_values() -> None:
    random = np.random.default_rng(0)
    columns = {
        "flag": random.integers(0, 2, 500),
        "counts": random.lognormal(2, 1.5, 500),
        "even": random.uniform(0, 1, 500),
        "signed": random.normal(0, 1, 500) ** 3,
        "constant": np.full(500, 7.0),
    }

    found = infer_features(np.stack(list(columns.values()), axis=1).astype(np.float32), [*columns])

    scales = {feature.name: feature.scale for feature in found}
    assert scales == {
        "flag": "flag",
        "counts": "log",
        "even": "linear",
        "signed": "linear",
        "constant": "linear",
    }
