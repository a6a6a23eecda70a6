"""Feature values in a reviewer's words: "files changed: 14 (usually 2)"."""

from typing import Final

from pullrisk.features.schema import Feature

_BARE_UNITS: Final = frozenset({"ratio", "log odds", "log lines", "sine", "cosine"})


def value_phrase(feature: Feature, value: float, usual: float) -> str:
    """What a feature says of a pull, beside its repository's median."""
    if feature.scale == "flag":
        return feature.sentence if value >= 0.5 else f"not so here: {feature.sentence}"
    here, there = quantity(feature, value), quantity(feature, usual)
    if here == there:
        return f"{feature.sentence}: {here}"
    return f"{feature.sentence}: {here}, usually {there}"


def usual_phrase(feature: Feature, usual: float) -> str:
    """The change that makes a feature usual, as the opening of a counterfactual."""
    if feature.scale == "flag":
        return f"{'if' if usual >= 0.5 else 'if it were not that'} {feature.sentence}"
    return f"with {feature.sentence} at the usual {quantity(feature, usual)}"


def quantity(feature: Feature, value: float) -> str:
    """A value with its unit: `3 files`, `1 file`, `12 %`, `+1.8 standard deviations`."""
    if feature.unit == "share":
        return f"{100 * value:.1f} %" if abs(value) < 0.1 else f"{100 * value:.0f} %"
    if feature.unit == "standard deviations":
        return f"{value:+.1f} standard deviations"
    number = _number(value)
    if feature.unit in _BARE_UNITS:
        return number
    unit = feature.unit.removesuffix("s") if number == "1" else feature.unit
    return f"{number} {unit}"


def _number(value: float) -> str:
    """Whole numbers whole, with thousands apart; others with two significant digits."""
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.2g}"
