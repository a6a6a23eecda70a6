"""Prints docs/model-card.md from the JSON beside the general model."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from pullrisk.train.evaluation import Evaluation

TEMPLATE = Path(__file__).with_name("model-card.md.j2")
CARD = Path(__file__).parents[1] / "src" / "pullrisk" / "model" / "general.json"
BASELINES = ("code lines added", "logistic regression", "gradient boosting")
"""What the model is compared with on repositories that it never saw."""
Figure = Mapping[str, float | None]


def main() -> None:
    """Print the page; the card's file may be named instead of the general model's."""
    card = Path(sys.argv[1]) if len(sys.argv) > 1 else CARD
    print(page(msgspec.json.decode(card.read_bytes())), end="")


def page(card: Mapping[str, Any]) -> str:
    """The whole page, from what `make general-model` wrote."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown, of our own figures
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "figure": figure, "share": share, "signed": signed, "percent": percent,
        "percents": percents, "count": count, "times": times,
    }  # fmt: skip
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    said = {name: value for name, value in card["lineage"].items() if isinstance(value, str | int)}
    window = str(said.get("label_definition", "90d")).rsplit(" ", 1)[-1].removesuffix("d")
    judged = msgspec.convert(card["evaluation"], Evaluation)
    evaluation = msgspec.to_builtins(judged)
    card = {"unseen": [], **card, "evaluation": evaluation}
    return template.render(
        card=card,
        lineage=said,
        days=window,
        zip=zip,
        riskiest=msgspec.to_builtins(judged.riskiest()),
        outcome=judged.outcome,
        unseen_baselines=BASELINES,
        parts=list(parts(evaluation, judged.outcome)),
    )


def parts(evaluation: Mapping[str, Any], outcome: str) -> Iterator[Mapping[str, Any]]:
    """All pulls and those that change code, as far as they were judged in this detail."""
    models, code = evaluation["models"], evaluation["code_pulls"]
    if models and "precision_10" in models[next(iter(models))]["ranking"]:
        title = f"All {evaluation['pulls']:,} pull requests, in more detail:"
        yield {"title": title, "models": models, "differences": evaluation["differences"]}
    if code and code["models"]:
        title = (
            f"Only the {code['pulls']:,} that change at least three lines of code, "
            f"{code['positives']:,} of them {outcome}:"
        )
        yield {"title": title, "models": code["models"], "differences": code["differences"]}


def figure(found: Figure | None) -> str:
    """An AUC with its interval, to three digits."""
    return _with_interval(found, "{:.3f}")


def share(found: Figure | None) -> str:
    """A share with its interval, to two digits."""
    return _with_interval(found, "{:.2f}")


def signed(found: Figure | None) -> str:
    """A difference with its interval."""
    return _with_interval(found, "{:+.3f}")


def times(found: Figure | None) -> str:
    """How many times as many, with its interval."""
    return _with_interval(found, "{:.1f}")


def count(found: Figure | None) -> str:
    """A number of pull requests with its interval."""
    return _with_interval(found, "{:.0f}")


def percents(found: Figure) -> str:
    """A share with its interval, in per cent."""
    bounds = {name: 100 * value for name, value in found.items() if value is not None}
    return _with_interval(bounds, "{:.2f} %")


def percent(value: float) -> str:
    """A share in per cent."""
    return f"{100 * value:.2f} %"


def _with_interval(found: Figure | None, form: str) -> str:
    if not found or found.get("value") is None:
        return ""
    low, high = found.get("low"), found.get("high")
    text = form.format(found["value"])
    return (
        text if low is None or high is None else f"{text} [{form.format(low)}, {form.format(high)}]"
    )


if __name__ == "__main__":
    main()
