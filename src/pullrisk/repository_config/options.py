"""What `.github/pullrisk.yml` may say. The JSON Schema for editors is made of these classes.

The file is read from the base branch of a pull, never from the pull itself. The Action, the App
and `pullrisk check` all follow it.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

PATH: Final = ".github/pullrisk.yml"
SCHEMA_ID: Final = "https://github.com/pullrisk/pullrisk/blob/main/docs/pullrisk.schema.json"

From: TypeAlias = Literal["off", "always", "elevated", "high"]
"""When something is done: never, for every pull, or from a band of risk on."""
FailOn: TypeAlias = Literal["never", "elevated", "high"]
BandName: TypeAlias = Literal["low", "elevated", "high"]

_Share = Annotated[float, Meta(gt=0, lt=1)]
_Pattern = Annotated[str, Meta(min_length=1, max_length=512)]
_Patterns = Annotated[tuple[_Pattern, ...], Meta(max_length=200)]


class Bands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which share of the repository's pulls falls into each band of risk."""

    high: Annotated[_Share, Meta(description="the riskiest share of the repository's pulls")] = 0.05
    elevated: Annotated[_Share, Meta(description="the share that follows it")] = 0.15

    def __post_init__(self) -> None:
        if self.high + self.elevated >= 1:
            raise ValueError("high and elevated together must stay below 1")


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other bands for pulls that change one of the paths."""

    paths: Annotated[
        tuple[_Pattern, ...],
        Meta(min_length=1, max_length=200, description="globs of paths, as in .gitignore"),
    ]
    bands: Annotated[Bands, Meta(description="the bands of a pull that changes one of them")]


class Skip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pulls that are not scored, by globs that ignore case; any match is enough."""

    authors: Annotated[_Patterns, Meta(description="logins, such as renovate*")] = ()
    bots: Annotated[bool, Meta(description="every account that is a bot")] = False
    drafts: Annotated[bool, Meta(description="drafts, until they are ready for review")] = True
    labels: Annotated[_Patterns, Meta(description="names of labels")] = ()
    branches: Annotated[_Patterns, Meta(description="the pull's own branch")] = ()
    bases: Annotated[_Patterns, Meta(description="the branch that it goes into")] = ()
    titles: Annotated[_Patterns, Meta(description="titles, such as *backport*")] = ()


class Labels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A label for the band. Other labels, with or without the prefix, are left alone."""

    prefix: Annotated[
        str, Meta(min_length=1, max_length=40, description="what stands before the band's name")
    ] = "risk: "
    bands: Annotated[
        tuple[BandName, ...], Meta(min_length=1, description="the bands that get a label")
    ] = ("elevated", "high")


class RepositoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `.github/pullrisk.yml`; every key may be missing."""

    exclude: Annotated[
        _Patterns,
        Meta(
            description="globs of paths, as in .gitignore, that count neither in a score nor in "
            "the history: lock files, generated code"
        ),
    ] = ()
    skip: Annotated[Skip, Meta(description="pulls that are not scored")] = Skip()
    bands: Annotated[Bands, Meta(description="which share of pulls is high, and elevated")] = (
        Bands()
    )
    thresholds: Annotated[
        tuple[Threshold, ...],
        Meta(
            max_length=50,
            description="other bands for some paths; of several that match, each band is the "
            "widest",
        ),
    ] = ()
    check_run: Annotated[
        bool | None,
        Meta(
            description="a check run with the brief, which always concludes neutral; unless said, "
            "the App writes one and the Action does not"
        ),
    ] = None
    annotations: Annotated[
        bool, Meta(description="notes of the check run at the lines to look at, 50 at most")
    ] = True
    comment: Annotated[
        From, Meta(description="one comment, updated in place: off, always, or from a band on")
    ] = "off"
    labels: Annotated[
        Labels | None, Meta(description="a label for the band; none without this key")
    ] = None
    fail_on: Annotated[
        FailOn, Meta(description="the band from which on the Action and the check fail")
    ] = "never"


DEFAULTS: Final = RepositoryConfig()


def json_schema() -> bytes:
    """The JSON Schema of the file, as `docs/pullrisk.schema.json` holds it."""
    schema = msgspec.json.schema(RepositoryConfig)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": PATH,
    }
    return msgspec.json.format(msgspec.json.encode({**head, **schema}), indent=2) + b"\n"
