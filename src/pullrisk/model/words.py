"""Feature values in a reviewer's words: "14 files that this author never touched, usually 2"."""

from typing import Final

from pullrisk.features.schema import NEVER, Feature

_BARE_UNITS: Final = frozenset({"ratio", "log odds", "log lines", "sine", "cosine"})
_PLURALS: Final = (("ies", "y"), ("s", ""))


def value_phrase(feature: Feature, value: float, usual: float) -> str:
    """What a feature says of a pull, beside its repository's median."""
    if feature.scale == "flag":
        return feature.sentence if value >= 0.5 else f"not so here: {feature.sentence}"
    if _counts(feature):
        here = _counted(feature, value)
        return here if value == usual else f"{here}, usually {_number(usual)}"
    here, there = _beside(feature, value), _beside(feature, usual)
    suffix = "" if here == there else f", usually {there}"
    return f"{feature.sentence}: {here}{suffix}"


def usual_phrase(feature: Feature, value: float, usual: float) -> str:
    """The change that makes a feature usual, as the opening of a counterfactual."""
    if feature.scale == "flag":
        return f"{'had it been' if usual >= 0.5 else 'were it not'} that {feature.sentence}"
    if _counts(feature):
        if usual == 0:
            return f"without the {_counted(feature, value)}"
        return f"with {_number(usual)} instead of {_counted(feature, value)}"
    return f"with {feature.sentence} at the usual {_beside(feature, usual)}"


def quantity(feature: Feature, value: float) -> str:
    """A value with its unit: `3 files`, `1 file`, `12 %`, `+1.8 standard deviations`, `never`."""
    if feature.unit == "share":
        return f"{100 * value:.1f} %" if abs(value) < 0.1 else f"{100 * value:.0f} %"
    if feature.unit == "standard deviations":
        return f"{value:+.1f} standard deviations"
    if feature.unit == "days" and value >= NEVER:
        return "never"
    number = _number(value)
    if feature.unit in _BARE_UNITS:
        return number
    return f"{number} {_singular(feature.unit) if number == '1' else feature.unit}"


def _counts(feature: Feature) -> bool:
    """Whether the sentence begins with what is counted, so that a number can go before it."""
    return feature.scale == "log" and feature.sentence.startswith(f"{feature.unit} ")


def _counted(feature: Feature, value: float) -> str:
    return quantity(feature, value) + feature.sentence.removeprefix(feature.unit)


def _beside(feature: Feature, value: float) -> str:
    """The quantity, without its unit where the sentence has just said it."""
    told = quantity(feature, value)
    bare = feature.scale == "log" and feature.unit in feature.sentence and told != "never"
    return _number(value) if bare else told


def _singular(unit: str) -> str:
    for ending, single in _PLURALS:
        if unit.endswith(ending):
            return unit.removesuffix(ending) + single
    return unit


def _number(value: float) -> str:
    """Whole numbers whole, with thousands apart; others with two significant digits."""
    if abs(value) < 0.005:
        return "0"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.2g}"
