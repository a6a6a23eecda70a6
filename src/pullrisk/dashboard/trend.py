"""Lines over time: how a score moved from push to push, how a repository fares."""

from collections.abc import Sequence

from markupsafe import Markup

from pullrisk.dashboard.figures import Quarter
from pullrisk.pulls.scores import Step
from pullrisk.svg import Axis, Plot, round_marks


def steps_plot(steps: Sequence[Step]) -> Markup | None:
    """The risk at each push, the earliest first; None if fewer than two are known."""
    scored = [step for step in steps if step.risk is not None]
    if len(scored) < 2:
        return None
    points = [(float(place), step.risk or 0.0) for place, step in enumerate(scored, 1)]
    marks = round_marks(max(risk for _, risk in points), count=4)
    plot = Plot(
        "How the risk moved",
        f"Risk from {100 * points[0][1]:.0f} % to {100 * points[-1][1]:.0f} % "
        f"over {len(points)} pushes.",
        Axis(1, len(points), [place for place, _ in points][:12], "push", lambda n: f"{n:.0f}"),
        Axis(0, marks[-1], marks, "risk"),
        width=560,
        height=220,
    )
    plot.line(points, "ours")
    for (place, risk), step in zip(points, scored, strict=True):
        plot.dot((place, risk), "ours", tip=f"{100 * risk:.1f} % on {step.at:%Y-%m-%d %H:%M}")
    return Markup(plot.svg())  # noqa: S704  (Plot escapes all words)


def quarters_plot(quarters: Sequence[Quarter]) -> Markup | None:
    """The shares that needed a fix and that were reverted, by quarter; None with fewer than two."""
    if len(quarters) < 2:
        return None
    series = {
        "ours": [(place, each.repaired) for place, each in enumerate(quarters)],
        "reverted": [(place, each.reverted) for place, each in enumerate(quarters)],
    }
    known = [share for each in series.values() for _, share in each if share is not None]
    marks = round_marks(max((share.high for share in known), default=0.1), count=4)
    every = max(1, -(-len(quarters) // 8))
    plot = Plot(
        "How its pulls fared",
        "Share of the pulls of each quarter that needed a fix, and that were reverted.",
        Axis(
            0, len(quarters) - 1, range(0, len(quarters), every), "merged in",
            lambda place: quarters[round(place)].name,
        ),
        Axis(0, marks[-1], marks, "share of the pulls"),
        height=280,
    )  # fmt: skip
    words = {"ours": "needed a fix", "reverted": "were reverted"}
    for css, points in series.items():
        known_points = [(place, share) for place, share in points if share is not None]
        plot.line([(place, share.value) for place, share in known_points], css)
        for place, share in known_points:
            tip = (
                f"{quarters[place].name}: {100 * share.value:.1f} % {words[css]} "
                f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"
            )
            ends = (share.low, share.high)
            plot.dot((place, share.value), css, tip=tip, interval=ends)
    return Markup(plot.svg())  # noqa: S704  (Plot escapes all words)
