"""The temporal split keeps the order of time and looks into no future."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullrisk.errors import SettingsError
from pullrisk.model.scaling import Scaling
from pullrisk.train.dataset import UNKNOWN, Dataset
from pullrisk.train.split import label_windows, temporal_split
from support.tables import FEATURES, NAMES, Row, make_table
from support.training import quick_dataset

X = np.ones(len(NAMES))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    tables = []
    for place in range(draw(st.integers(1, 3))):
        days = draw(st.lists(st.floats(0, 3000), min_size=1, max_size=30))
        rows: list[Row] = [(day, number, True, [], X) for number, day in enumerate(days, start=1)]
        tables.append(make_table(f"o/{place}", rows))
    return Dataset.from_table(pa.concat_tables(tables), NAMES)


@settings(max_examples=60, deadline=None)
@given(datasets(), st.floats(0, 0.5), st.floats(0, 0.49))
def test_every_row_is_in_one_window_and_windows_follow_each_other(
    data: Dataset, test: float, validation: float
) -> None:
    split = temporal_split(data, test=test, validation=validation)
    assert (split.train.astype(int) + split.validation + split.test == 1).all()
    for code in range(len(data.repositories)):
        own = data.repository == code
        moments = [
            data.merged_at[own & part] for part in (split.train, split.validation, split.test)
        ]
        parts = [part for part in moments if len(part)]
        assert all(a.max() < b.min() for a, b in pairwise(parts))


@settings(max_examples=60, deadline=None)
@given(datasets(), st.floats(0.05, 0.5))
def test_the_test_window_is_that_share_of_each_repository_s_time(
    data: Dataset, test: float
) -> None:
    split = temporal_split(data, test=test, validation=0.2)
    for code in range(len(data.repositories)):
        mine = data.repository == code
        own = data.merged_at[mine]
        cut = own.max() - test * (own.max() - own.min())
        assert abs(split.test_from[code] - cut) <= 1
        assert split.test[mine & (data.merged_at == own.max())].all()


def test_no_label_of_a_window_was_known_only_after_it() -> None:
    data = quick_dataset()
    split = temporal_split(data)
    scaling = Scaling.fit(data.x[split.train], FEATURES)
    windows = label_windows(data, split, scaling)
    cut = split.validation_from[data.repository]
    late = (data.merged_at + data.maturity > cut) & ~(data.reverted_at <= cut)
    known = windows.training.labels[1]
    assert late[split.train].any()
    assert (known[late[split.train]] == UNKNOWN).all()
    at = data.reverted_at[split.train][known == 1]
    assert (at <= cut[split.train][known == 1]).all()
    later = windows.validation.labels[1] == 1
    assert (data.reverted_at[split.validation][later]
            <= split.test_from[data.repository][split.validation][later]).all()  # fmt: skip


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"0\.8"):
        temporal_split(quick_dataset(), test=0.8, validation=0.2)
