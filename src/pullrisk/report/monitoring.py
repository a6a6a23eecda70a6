"""The page of `pullrisk monitor`: alarms, drift with histograms, outcomes over time."""

import math
from typing import Final

from pullrisk.monitor.drift import Column
from pullrisk.monitor.findings import Findings
from pullrisk.monitor.outcomes import Window
from pullrisk.report.page import environment
from pullrisk.svg import Axis, Plot, percent, round_marks

DRAWN: Final = 6
"""Columns of each repository that are drawn: those that drifted most."""
LISTED: Final = 15


def render(findings: Findings) -> str:
    """The page as text. Raises MissingExtraError without jinja2."""
    templates = environment()
    templates.filters |= {
        "day": lambda moment: moment.strftime("%Y-%m-%d %H:%M"),
        "figure": lambda value: f"{value:.3f}",
        "short": lambda value: f"{value:.2f}",
        "p": lambda value: "< 0.0001" if value < 1e-4 else f"{value:.4f}",
    }
    return templates.get_template("monitoring.html.j2").render(
        findings=findings,
        listed=LISTED,
        ratio=over_time(findings.outcomes, "ratio"),
        auc=over_time([window for window in findings.outcomes if window.auc], "auc"),
        histograms={
            drift.repository: [(column, histogram(column)) for column in drift.drifted[:DRAWN]]
            for drift in findings.drift
        },
    )


def over_time(windows: list[Window], figure: str) -> str | None:
    """A figure of each window with its interval; `ratio` or `auc`. None without a window."""
    if not windows:
        return None
    if figure == "ratio":
        points = [(window, window.ratio) for window in windows]
        label, line, top = "outcomes ÷ predicted", 1.0, max(min(i.high, 4.0) for _, i in points)
        low, marks = 0.0, round_marks(max(top, 1.5), count=4)
    else:
        points = [(window, window.auc) for window in windows if window.auc]
        label, line, low, marks = "AUC within repositories", 0.5, 0.0, [0.0, 0.25, 0.5, 0.75, 1.0]
    last = max(len(points) - 1, 1)
    shown = range(0, len(points), math.ceil(len(points) / 4))
    plot = Plot(
        label,
        "One point for each 90 days, with its 95 % interval.",
        Axis(-0.5, last + 0.5, list(shown), "merged since", lambda at: points[int(at)][0].since),
        Axis(low, marks[-1], marks, label, lambda value: f"{value:.3g}"),
    )
    plot.line([(-0.5, line), (last + 0.5, line)], "chance")
    plot.line([(place, value.value) for place, (_, value) in enumerate(points)], "ours")
    for place, (window, value) in enumerate(points):
        interval = f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"
        tip = f"{window.since} to {window.until}: {interval}"
        plot.dot((place, value.value), "ours", tip=tip, interval=(value.low, value.high))
    return plot.svg()


def histogram(column: Column) -> str:
    """Shares of pulls in the reference's bins: in training as columns, now as a line."""
    bins = [
        place
        for place in range(len(column.expected))
        if column.expected[place] + column.found[place]
    ]
    ends = range(1, len(bins) + 1, 1 if len(bins) < 6 else 2)
    marks = round_marks(max(*column.expected, *column.found), count=4)
    plot = Plot(
        column.name,
        "Share of pull requests in each bin, in training and now.",
        Axis(0, len(bins), ends, "up to", lambda at: _edge(column, bins[int(at) - 1])),
        Axis(0, marks[-1], marks, "share of pull requests"),
        width=460,
        height=260,
    )
    outline = []
    for place, each in enumerate(bins):
        tip = f"in training {percent(column.expected[each])}, now {percent(column.found[each])}"
        plot.column(place, place + 1, column.expected[each], css="clean", tip=tip)
        outline += [(place, column.found[each]), (place + 1, column.found[each])]
    plot.line([(float(x), y) for x, y in outline], "reverted")
    return plot.svg()


def _edge(column: Column, place: int) -> str:
    return f"{column.edges[place]:.3g}" if place < len(column.edges) else "more"
