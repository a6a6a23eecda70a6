"""Features of the moment at which the pull request was opened (never of when it was merged)."""

from math import cos, pi, sin
from typing import Final

from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import family

FEATURES: Final = family(
    "time",
    ("hour_sine", "sine", "linear", "hour of the day at which it was opened (UTC, sine)"),
    ("hour_cosine", "cosine", "linear", "hour of the day at which it was opened (UTC, cosine)"),
    ("opened_friday", "flag", "flag", "opened on a Friday"),
    ("opened_weekend", "flag", "flag", "opened on a Saturday or Sunday"),
)

_CIRCLE: Final = [(sin(2 * pi * hour / 24), cos(2 * pi * hour / 24)) for hour in range(24)]


def features(context: PullContext) -> tuple[float, ...]:
    """The values of FEATURES, in their order."""
    opened = context.pull.created_at
    weekday = opened.weekday()
    return (*_CIRCLE[opened.hour], float(weekday == 4), float(weekday >= 5))
