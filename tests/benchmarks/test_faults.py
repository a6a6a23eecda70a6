"""The drill of faults: a stage that survives them, and one that loses something."""

import itertools

import pytest

import faults


def test_what_a_killed_or_full_fetch_leaves_is_completed_by_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert faults.main(["--runs", "2", "--seed", "1", "--stage", "fetch files"]) == 0
    printed = capsys.readouterr().out
    assert "fetch files       kill" in printed
    assert "2 runs, 0 bad, seed 1" in printed


def test_a_stage_that_leaves_something_else_is_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = itertools.count()
    monkeypatch.setattr(faults, "store_state", lambda store: str(next(count)))
    assert faults.main(["--runs", "1", "--seed", "1", "--stage", "fetch files"]) == 1
    assert "bad: another state" in capsys.readouterr().out
