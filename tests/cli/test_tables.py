import json
from datetime import UTC, datetime

import numpy as np
import pytest

from pullrisk.cli.display.tables import aligned, print_json, print_table


def test_a_table_in_a_pipe_is_aligned_text_without_tabs_or_trailing_spaces() -> None:
    text = aligned(["name", "n"], [["a\tb", "5"], ["long name", "1,000"]], right=["n"]).plain
    assert text == "name           n\na b            5\nlong name  1,000"


def test_nothing_is_cut_or_coloured_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["title"], [["x" * 500]])
    assert capsys.readouterr().out == f"title\n{'x' * 500}\n"


def test_json_holds_numpy_values_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": np.float32(0.5), "b": np.arange(2), "c": datetime(2024, 1, 2, tzinfo=UTC)})
    assert json.loads(capsys.readouterr().out) == {
        "a": 0.5,
        "b": [0, 1],
        "c": "2024-01-02T00:00:00Z",
    }
