"""`python -m pullrisk.features`: the reference of all features, as Markdown."""

from itertools import groupby

from pullrisk.features import FEATURES, SCHEMA_HASH
from pullrisk.features.knowledge import FACTS

_FACTS = {
    "opening": "when the pull was opened; a clone knows only the dates of commits",
    "description": "its author's own words; a clone has only the messages of commits",
    "fork": "where the branch is; squash commits do not name it",
    "commits": "how many there are; squash commits do not tell",
    "closed": "pulls closed without a merge; a clone has none of them",
    "lines": "line counts; a partial clone may lack them",
    "count": "how many files there are",
    "files": "which files there are",
    "author": "who the author is, by a name that the repository's history knows",
}


def _needs(name: str) -> str:
    return ", ".join(fact for fact in _FACTS if name in FACTS[fact])


def reference() -> str:
    """docs/features.md, made from the schema itself."""
    lines = [
        "# Features",
        "",
        f"{len(FEATURES)} features, schema `{SCHEMA_HASH}`. Each is computed from the pull request",
        "and from what its repository knew just before the moment in question; *here* means in",
        "that repository, *failed* means reverted or hot-fixed within 90 days of its merge.",
        "The scale says how the network reads the value: `log` as log(1 + x), `flag` as 0 or 1.",
        "",
        "A feature is unknown (NaN, in JSON null) where its source lacks a fact that it needs:",
        "",
        *(f"- `{fact}`: {text}" for fact, text in _FACTS.items()),
        "",
        "The network reads a value of its own learning in its place, novelty leaves it out, and no",
        "reason names it.",
        "",
        "This page is generated: `make docs`.",
    ]
    for family, features in groupby(FEATURES, key=lambda feature: feature.family):
        lines += [
            "",
            f"## {family.capitalize()}",
            "",
            "| feature | unit | scale | needs | what it is |",
        ]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| `{f.name}` | {f.unit} | {f.scale} | {_needs(f.name)} | {f.sentence} |"
            for f in features
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
