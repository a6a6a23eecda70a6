from xml.etree import ElementTree

import pytest

from pullrisk.svg import Axis, Plot, percent, round_marks


def plot() -> Plot:
    unit = Axis(0, 1, (0, 1), "x < y")
    return Plot("A title", "What it shows.", unit, unit, width=200, height=100)


def test_a_plot_is_well_formed_and_speaks_to_screen_readers() -> None:
    picture = plot()
    picture.line([(0, 0), (1, 1)], "ours")
    picture.dot((0.5, 0.5), "ours", tip="a & b", interval=(0.4, 0.6))
    picture.column(0, 0.5, 1, css="clean", tip="<half>")
    picture.upright(0.5, "median", css="kind-0")
    root = ElementTree.fromstring(picture.svg())
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "A title. What it shows."


def test_points_outside_the_axes_stay_inside_the_picture() -> None:
    picture = plot()
    picture.line([(-5, -5), (9, 9)], "ours")
    line = ElementTree.fromstring(picture.svg()).find("polyline")
    assert line is not None
    numbers = [float(part) for point in line.attrib["points"].split() for part in point.split(",")]
    assert all(0 <= x <= 200 for x in numbers[::2])
    assert all(0 <= y <= 100 for y in numbers[1::2])


def test_higher_values_stand_higher() -> None:
    picture = plot()
    picture.line([(0, 0.2), (1, 0.8)], "ours")
    line = ElementTree.fromstring(picture.svg()).find("polyline")
    assert line is not None
    (_, low), (_, high) = (point.split(",") for point in line.attrib["points"].split())
    assert float(high) < float(low)


@pytest.mark.parametrize(
    ("high", "marks"),
    [
        (0.013, [0, 0.005, 0.01, 0.015]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (123, [0, 25, 50, 75, 100, 125]),
        (0, [0, 1]),
    ],
)
def test_marks_are_round_and_reach_the_highest_value(high: float, marks: list[float]) -> None:
    assert round_marks(high) == pytest.approx(marks)


def test_shares_are_written_as_per_cent_that_does_not_wrap() -> None:
    assert percent(0.05) == "5\N{NO-BREAK SPACE}%"
    assert percent(0.0051) == "0.51\N{NO-BREAK SPACE}%"
