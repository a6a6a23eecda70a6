"""Feature tables that are odd or damaged."""

import numpy as np
import pyarrow as pa
import pytest

from pullrisk.errors import LakeError
from pullrisk.train.dataset import oddities, read_dataset
from support.tables import NAMES, feature_table


def with_value(value: float | None) -> pa.Table:
    table = feature_table(pulls=60, repositories=1, rate=0.0)
    place = table.column_names.index("churn_score")
    values = table["churn_score"].to_pylist()
    values[7] = value
    return table.set_column(place, "churn_score", pa.array(values, pa.float32()))


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_value_that_is_unknown_stays_unknown(value: float | None) -> None:
    data = read_dataset(with_value(value), NAMES, maturity_days=90)
    assert np.argwhere(np.isnan(data.x)).tolist() == [[7, NAMES.index("churn_score")]]


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinite_value_is_told_by_feature_and_pull(value: float) -> None:
    broken = with_value(value)
    with pytest.raises(LakeError, match=r"feature churn_score of owner/0#8 is .*1 such pulls"):
        read_dataset(broken, NAMES, maturity_days=90)


def test_a_column_that_is_missing_is_told_by_name() -> None:
    table = feature_table(pulls=60).drop_columns(["author_new"])
    with pytest.raises(LakeError, match="author_new"):
        read_dataset(table, NAMES, maturity_days=90)


def test_constant_features_and_a_single_repository_are_told() -> None:
    (constant,) = oddities(read_dataset(feature_table(pulls=60), NAMES, maturity_days=90))
    assert constant == "1 of 6 features have one value everywhere and tell nothing: constant"
    alone = read_dataset(feature_table(pulls=60, repositories=1), NAMES, maturity_days=90)
    assert any("one repository" in note for note in oddities(alone))


def test_many_constant_features_are_counted_and_some_are_named() -> None:
    names = ("number", *NAMES)
    table = feature_table(pulls=60)
    zero = pa.array(np.zeros(table.num_rows, np.float32))
    for name in NAMES:
        table = table.set_column(table.column_names.index(name), name, zero)
    (note,) = oddities(read_dataset(table, names, maturity_days=90))
    assert note.startswith("6 of 7 features")
    assert note.endswith("and 1 more")
