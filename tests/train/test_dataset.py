"""Reading the feature table and deriving outcomes from its links."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pullrisk.errors import LakeError, NotEnoughDataError, SettingsError
from pullrisk.train.dataset import MICROSECONDS_PER_DAY, UNKNOWN, Dataset
from pullrisk.train.table_columns import NEVER
from support.tables import NAMES, START, feature_table, make_table

X = np.arange(len(NAMES), dtype=np.float64)


def link(number: int, kind: str = "revert") -> dict[str, object]:
    return {"kind": kind, "number": number, "evidence": "title", "at": None}


def dataset(*rows: tuple[float, int, bool, list[dict[str, object]]], **options: object) -> Dataset:
    table = make_table("o/r", [(*row, X) for row in rows])
    return Dataset.from_table(table, NAMES, **options)  # type: ignore[arg-type]


def labels_by_number(data: Dataset, **options: object) -> dict[int, int]:
    return dict(zip(data.number.tolist(), data.labels(**options).tolist(), strict=True))  # type: ignore[arg-type]


def test_a_pull_named_by_a_later_revert_within_the_window_is_positive() -> None:
    data = dataset(
        (0, 1, True, []), (1, 2, True, []), (50, 3, False, [link(1)]), (300, 4, True, [])
    )
    assert labels_by_number(data) == {1: 1, 2: 0, 3: UNKNOWN, 4: UNKNOWN}


def test_a_revert_after_the_window_leaves_the_pull_clean() -> None:
    data = dataset((0, 1, True, []), (90.5, 2, False, [link(1)]), (300, 3, True, []))
    assert labels_by_number(data)[1] == 0
    assert data.reverted_at[0] == NEVER


def test_a_revert_after_the_window_is_learnt_from_once_it_is_known() -> None:
    data = dataset((0, 1, True, []), (120, 2, False, [link(1)]), (300, 3, True, []))
    assert labels_by_number(data, learning=True)[1] == 1
    before = np.array([START + 110 * MICROSECONDS_PER_DAY])
    assert labels_by_number(data, known_at=before, learning=True)[1] == 0


def test_a_revert_at_the_very_end_of_the_window_counts() -> None:
    data = dataset((0, 1, True, []), (90, 2, False, [link(1)]))
    assert labels_by_number(data)[1] == 1


def with_lines(data: Dataset, *, written: Sequence[bool]) -> Dataset:
    """The dataset of a source that tells of some pulls which lines they wrote."""
    return replace(data, written=np.array(written))


def test_a_repair_counts_where_it_is_asked_for_and_in_the_risk() -> None:
    rows = [(0, 1, True, []), (5, 2, True, [link(1, "repair"), link(-7, "repair")])]
    data = dataset(*rows, (100, 3, True, [link(2, "repair")]), (300, 4, True, []))
    data = with_lines(data, written=[True] * 4)
    assert labels_by_number(data, target="repaired") == {1: 1, 2: 0, 3: 0, 4: UNKNOWN}
    assert labels_by_number(data, target="reverted")[1] == 0
    assert labels_by_number(data, target="risk")[1] == 1
    assert data.repaired.tolist() == [True, False, False, False]


def test_a_revert_counts_in_the_risk() -> None:
    data = dataset((0, 1, True, []), (50, 2, True, [link(1)]), (300, 3, True, []))
    data = with_lines(data, written=[True] * 3)
    assert labels_by_number(data, target="risk") == {1: 1, 2: 0, 3: UNKNOWN}
    assert labels_by_number(data, target="repaired") == {1: 0, 2: 0, 3: UNKNOWN}
    assert data.main_target == "risk"


def test_of_a_pull_whose_lines_are_not_known_only_a_revert_is() -> None:
    data = dataset((0, 1, True, []), (1, 2, True, []), (50, 3, True, [link(1)]), (300, 4, True, []))
    data = with_lines(data, written=[False, True, False, True])
    assert labels_by_number(data, target="repaired") == dict.fromkeys((1, 3, 4), UNKNOWN) | {2: 0}
    assert labels_by_number(data, target="risk") == dict.fromkeys((1, 3, 4), UNKNOWN) | {2: 0}
    assert labels_by_number(data) == {1: 1, 2: 0, 3: 0, 4: UNKNOWN}


def test_lines_are_known_where_the_table_tells_the_origins_of_those_rewritten() -> None:
    table = make_table("o/r", [(0, 1, True, [], X), (1, 2, True, [], X)])
    assert Dataset.from_table(table, NAMES).main_target == "reverted"
    origins = pa.array([np.nan, 0.0], pa.float32())
    told = Dataset.from_table(table.append_column("rewritten_origins", origins), NAMES)
    assert told.written.tolist() == [False, True]


def test_where_later_merges_have_no_lines_only_windows_that_ended_before_are_known() -> None:
    days = [0, 30, 60, 150, 200, 300]
    links = {5: [link(3, "repair"), link(1, "revert")], 6: [link(2)]}
    rows = [(day, at, True, links.get(at, []), X) for at, day in enumerate(days, 1)]
    origins = pa.array([0.0, 0.0, 0.0, 2.0, np.nan, np.nan], pa.float32())
    table = make_table("o/r", rows).append_column("rewritten_origins", origins)
    other = make_table("p/q", rows).append_column("rewritten_origins", pa.array([0.0] * 6))
    data = Dataset.from_table(table, NAMES)
    assert labels_by_number(data, target="repaired") == {
        1: 0, 2: 0, 3: 0, 4: UNKNOWN, 5: UNKNOWN, 6: UNKNOWN,
    }  # fmt: skip
    assert labels_by_number(data)[4] == 0
    both = Dataset.from_table(pa.concat_tables([table, other.cast(table.schema)]), NAMES)
    assert both.written.tolist() == [True, True, True, False, False, False, *[True] * 6]


def test_a_repair_that_was_seen_counts_although_lines_ceased_to_be_known() -> None:
    repair = [link(1, "repair")]
    rows = [(0, 1, True, [], X), (20, 2, True, repair, X), (300, 3, True, [], X)]
    origins = pa.array([0.0, 1.0, np.nan], pa.float32())
    table = make_table("o/r", rows).append_column("rewritten_origins", origins)
    labels = labels_by_number(Dataset.from_table(table, NAMES), target="repaired")
    assert labels == {1: 1, 2: UNKNOWN, 3: UNKNOWN}


@pytest.mark.parametrize("kind", ["partial_revert", "reland", "hotfix"])
def test_other_links_are_no_trouble(kind: str) -> None:
    data = dataset((0, 1, True, []), (5, 2, True, [link(1, kind)]), (300, 3, True, []))
    assert labels_by_number(with_lines(data, written=[True] * 3), target="risk")[1] == 0


def test_links_to_the_future_to_itself_or_to_nowhere_are_ignored() -> None:
    rows = [(0, 1, True, [link(3), link(1), link(999)]), (5, 3, True, []), (300, 4, True, [])]
    assert not dataset(*rows).reverted.any()


def test_the_first_of_several_reverts_counts() -> None:
    data = dataset((0, 1, True, []), (60, 2, False, [link(1)]), (20, 3, False, [link(1)]))
    assert data.reverted_at[0] == START + 20 * MICROSECONDS_PER_DAY


def test_links_stay_within_their_repository() -> None:
    tables = [
        make_table("o/a", [(0, 1, True, [], X), (300, 9, True, [], X)]),
        make_table(
            "o/b", [(0, 1, True, [], X), (5, 2, False, [link(1)], X), (300, 9, True, [], X)]
        ),
    ]
    data = Dataset.from_table(pa.concat_tables(tables), NAMES)
    reverted = [data.repositories[code] for code in data.repository[data.reverted]]
    assert reverted == ["o/b"]


def test_an_immature_pull_has_no_label_even_when_already_reverted() -> None:
    data = dataset((0, 1, True, []), (100, 2, True, []), (110, 3, False, [link(2)]))
    assert labels_by_number(data) == {1: 0, 2: UNKNOWN, 3: UNKNOWN}
    assert labels_by_number(data, learning=True)[2] == 1


def test_nothing_after_the_moment_of_knowing_shows() -> None:
    data = dataset(
        (0, 1, True, []), (10, 2, True, []), (50, 3, False, [link(1)]), (400, 4, True, [])
    )
    known_at = np.array([START + 40 * MICROSECONDS_PER_DAY])
    assert set(labels_by_number(data, known_at=known_at, learning=True).values()) == {UNKNOWN}
    known_at = np.array([START + 95 * MICROSECONDS_PER_DAY])
    assert labels_by_number(data, known_at=known_at, learning=True)[1] == 1
    assert labels_by_number(data, known_at=known_at, learning=True)[2] == UNKNOWN


def test_observation_may_be_said_to_last_longer_than_the_last_merge() -> None:
    until = datetime.fromtimestamp(START / 1e6, UTC) + timedelta(days=91)
    assert labels_by_number(dataset((0, 1, True, [])))[1] == UNKNOWN
    assert labels_by_number(dataset((0, 1, True, []), observed_until=until))[1] == 0


def test_labels_equal_those_of_a_plain_loop() -> None:
    table = feature_table(400, repositories=3)
    data = Dataset.from_table(table, NAMES, maturity_days=10)
    rows = table.select(["repository", "number", "merged_at", "links"]).to_pylist()
    reverted = {
        (row["repository"], found["number"])
        for row in rows
        for found in row["links"]
        for target in rows
        if (target["repository"], target["number"]) == (row["repository"], found["number"])
        and timedelta(0) <= row["merged_at"] - target["merged_at"] <= timedelta(days=10)
    }
    found = data.repository[data.reverted], data.number[data.reverted]
    names = [data.repositories[code] for code in found[0]]
    assert len(reverted) > 20
    assert set(zip(names, found[1].tolist(), strict=True)) == reverted


def test_rows_come_in_event_order_whatever_the_order_of_the_table() -> None:
    table = feature_table(200)
    shuffled = table.take(np.random.default_rng(1).permutation(table.num_rows))
    first, second = Dataset.from_table(table, NAMES), Dataset.from_table(shuffled, NAMES)
    assert first.repositories == second.repositories == ("owner/0", "owner/1")
    for name in ("repository", "number", "merged_at", "x", "reverted_at"):
        assert (getattr(first, name) == getattr(second, name)).all(), name
    assert (np.diff(first.merged_at)[np.diff(first.repository) == 0] >= 0).all()


def test_numbers_as_large_as_github_allows_do_not_collide() -> None:
    large = 2**53 - 1
    tables = [
        make_table(f"o/{place}", [(0, large, True, [], X), (5, 7, False, [link(large)], X)])
        for place in range(40)
    ]
    data = Dataset.from_table(pa.concat_tables(tables), NAMES)
    assert data.number[data.reverted].tolist() == [large] * 40


def test_a_table_of_another_version_names_the_missing_column() -> None:
    with pytest.raises(LakeError, match="author_new"):
        Dataset.from_table(feature_table(10).drop_columns(["author_new"]), NAMES)


def test_an_empty_table_and_a_window_of_no_days_are_refused() -> None:
    with pytest.raises(NotEnoughDataError):
        Dataset.from_table(feature_table(10).slice(0, 0), NAMES)
    with pytest.raises(SettingsError, match="maturity_days"):
        Dataset.from_table(feature_table(10), NAMES, maturity_days=0)
