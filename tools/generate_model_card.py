"""Prints docs/model-card.md from the JSON beside the general model."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import jinja2
import msgspec

from pullrisk.train.evaluation import Evaluation

TEMPLATE = Path(__file__).with_name("model-card.md.j2")
CARD = Path(__file__).parents[1] / "src" / "pullrisk" / "model" / "general.json"
BASELINES = ("code lines added", "logistic regression", "gradient boosting")
"""What the model is compared with on repositories that it never saw."""
MEASURES = ("within_auc_weighted", "like_size_auc", "pooled_auc", "average_precision", "lift_10")
"""What each answer is judged by on its own outcome."""
CODE = "pull requests that change at least three lines of code"
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
        "percents": percents, "count": count, "times": times, "two_digits": two_digits,
    }  # fmt: skip
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    said = {name: value for name, value in card["lineage"].items() if isinstance(value, str | int)}
    window = str(said.get("label_definition", "90d")).rsplit(" ", 1)[-1].removesuffix("d")
    judged = msgspec.convert(card["evaluation"], Evaluation)
    evaluation = msgspec.to_builtins(judged)
    unseen = [
        {**one, "evaluation": msgspec.to_builtins(msgspec.convert(one["evaluation"], Evaluation))}
        for one in card.get("unseen", [])
    ]
    card = {**card, "evaluation": evaluation, "unseen": unseen}
    return template.render(
        card=card,
        lineage=said,
        days=window,
        zip=zip,
        riskiest=msgspec.to_builtins(judged.riskiest()),
        outcome=judged.outcome,
        unseen_baselines=BASELINES,
        parts=list(parts(evaluation, judged.outcome)),
        questions=list(questions(evaluation)),
        rounds=list(rounds(unseen)),
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


def questions(evaluation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each answer on its own outcome: on all pulls, and on those that change code."""
    for outcome, whole in evaluation["questions"].items():
        for words, part in (("pull requests", whole), (CODE, whole["code_pulls"])):
            if part and part["models"]:
                found = f"{part['positives']:,} of {part['pulls']:,} {words}"
                yield {**part, "title": f"*{outcome.capitalize()}*, {found}:"}


def rounds(unseen: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The same on repositories that the model never saw: a row a round, and the rounds' mean."""
    judged = [(one["repositories"], one["evaluation"]["questions"]) for one in unseen]
    for outcome in judged[0][1] if judged else ():
        found = [(names, asked.get(outcome)) for names, asked in judged]
        code = [(names, part and part["code_pulls"]) for names, part in found]
        for words, parts in (("all pull requests", found), (CODE, code)):
            rows = [(names, part) for names, part in parts if part and part["models"]]
            if rows:
                yield {
                    "title": f"*{outcome.capitalize()}*, {words}:",
                    "rows": rows,
                    "mean": _mean([part for _, part in rows]),
                }


def _mean(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The mean of each figure over the parts, without intervals: of ours and minus baselines."""

    def mean(figures: Sequence[Figure | None]) -> Figure | None:
        values = [found["value"] for found in figures if found and found["value"] is not None]
        return {"value": fmean(values)} if len(values) == len(parts) else None

    ours = [part["models"]["pullrisk"]["ranking"] for part in parts]
    return {
        "ranking": {name: mean([each.get(name) for each in ours]) for name in MEASURES},
        "differences": {
            name: mean([part["differences"].get(name, {}).get(MEASURES[0]) for part in parts])
            for name in BASELINES
        },
    }


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


def two_digits(found: Figure | None) -> str:
    """How many times as many, with its interval, to two digits."""
    return _with_interval(found, "{:.2f}")


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
