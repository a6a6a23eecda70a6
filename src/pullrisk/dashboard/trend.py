"""Lines over time: how a score moved from push to push, how a repository fares."""

from collections.abc import Sequence

from markupsafe import Markup

from pullrisk.pulls.scores import Step
from pullrisk.svg import Axis, Plot, round_marks


def steps_plot(steps: Sequence[Step]) -> Markup | None:
    """The risk at each push, the earliest first; None if fewer than two are known."""
    known = [step for step in steps if step.risk is not None]
    if len(known) < 2:
        return None
    points = [(float(place), step.risk or 0.0) for place, step in enumerate(known, 1)]
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
    for (place, risk), step in zip(points, known, strict=True):
        plot.dot((place, risk), "ours", tip=f"{100 * risk:.1f} % on {step.at:%Y-%m-%d %H:%M}")
    return Markup(plot.svg())  # noqa: S704  (Plot escapes all words)
