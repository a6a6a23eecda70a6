"""`python -m pullrisk.features`: the reference of all features, as Markdown."""

from itertools import groupby

from pullrisk.features import FEATURES, SCHEMA_HASH


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
        "This page is generated: `make docs`.",
    ]
    for family, features in groupby(FEATURES, key=lambda feature: feature.family):
        lines += ["", f"## {family.capitalize()}", "", "| feature | unit | scale | what it is |"]
        lines += ["|---|---|---|---|"]
        lines += [f"| `{f.name}` | {f.unit} | {f.scale} | {f.sentence} |" for f in features]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
