import io
import json

import pytest
from rich.console import Console

from pullrisk.cli.display.progress import Bars, Lines, done, progress, rate
from pullrisk.progress import Silent


def test_without_a_terminal_a_task_ends_with_one_line() -> None:
    lines: list[str] = []
    with Lines(write=lines.append).task("fetch", total=10, unit="pulls") as task:
        task.advance(10)
    assert len(lines) == 1
    assert lines[0].startswith("fetch: 10/10 pulls, ")
    assert "took" in lines[0]


def test_without_a_terminal_progress_is_told_now_and_then_with_the_time_left() -> None:
    lines: list[str] = []
    with Lines(every=0.0, write=lines.append).task("fetch", total=4, unit="pulls") as task:
        task.advance(1)
        task.describe("fetch b")
        task.advance(1)
    assert lines[0].startswith("fetch: 1/4 pulls")
    assert lines[1].startswith("fetch b: 2/4 pulls")
    assert "left" in lines[1]


def test_a_task_that_fails_does_not_claim_to_have_ended() -> None:
    lines: list[str] = []
    with pytest.raises(OSError), Lines(write=lines.append).task("x", total=1, unit="pulls"):  # noqa: PT011  # any
        raise OSError
    assert lines == []


def test_json_lines_are_json() -> None:
    lines: list[str] = []
    with Lines(as_json=True, write=lines.append).task("x", total=2, unit="pulls") as task:
        task.advance(2)
    told = json.loads(lines[0])
    assert (told["task"], told["done"], told["total"], told["unit"]) == ("x", 2, 2, "pulls")


def test_a_bar_shows_what_is_done_of_how_much_and_its_unit() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, force_terminal=True, width=120, color_system=None))
    with bars.task("outer", total=3, unit="pulls") as outer:
        outer.advance(2)
        with bars.task("inner", total=None, unit="bytes") as inner:
            inner.advance(2_500_000)
        outer.advance(1)
    shown = screen.getvalue()
    assert "3/3 pulls" in shown
    assert "2.5/2.5 MB" in shown
    assert shown.index("outer") < shown.index("inner")


def test_on_a_narrow_terminal_the_description_is_cut_and_no_number() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, force_terminal=True, width=80, color_system=None))
    with bars.task(
        "owner/a-long-name: merges into origin/main", total=10_324, unit="commits"
    ) as it:
        it.advance(3_500)
    shown = screen.getvalue()
    assert "…" in shown
    assert "/10,324 commits" in shown
    assert "3,500/3,500 commits" in shown


def test_the_display_follows_from_quiet_and_from_whether_there_is_a_terminal() -> None:
    assert isinstance(progress(quiet=True), Silent)
    assert isinstance(progress(quiet=False), Lines)


def test_amounts_and_rates_are_written_for_people() -> None:
    assert done(12_000, 200_000, unit="pulls") == "12,000/200,000 pulls"
    assert done(1_500_000, None, unit="bytes") == "1.5 MB"
    assert rate(11_234.4, unit="pulls") == "11,234 pulls/s"
    assert rate(0.25, unit="epochs") == "0.2 epochs/s"
    assert rate(2_000_000, unit="bytes") == "2.0 MB/s"
