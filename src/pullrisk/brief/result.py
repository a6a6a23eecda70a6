"""The brief of a pull: facts for programs, each beside the sentence that a person reads.

Every part is a frozen struct that msgspec writes as JSON. `text` is one sentence or phrase in
plain text, without a final full stop: titles and paths in it are the repository's own words, and
whoever renders it (`brief.markdown`) escapes them. A `url` is None if the repository has no
name on GitHub.
"""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from pullrisk.brief.facts import OTHER
from pullrisk.model.bundle import Band
from pullrisk.model.categories import Category
from pullrisk.score.result import Basis, Percent, Score, Share, State

Outcome: TypeAlias = Literal["repaired", "reverted", "repaired and reverted"]
"""What became of an earlier pull: a later fix rewrote its lines, or it was taken back."""
ReliefKind: TypeAlias = Literal["leave out", "split"]


class LineRange(msgspec.Struct, frozen=True, kw_only=True):
    """Lines `first` to `last` (from 1, both included) of a file as the pull leaves it.

    Where only lines were removed, it is the line before them. `number` is the earlier pull whose
    lines they replace or stand beside, None if no pull wrote them or nobody knows; `days` is their
    age.
    """

    first: int
    last: int
    text: str
    number: int | None = None
    days: float | None = None
    url: str | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that drives the risk, by exact occlusion.

    `kind` names the group of features that the sentence stands for and `features` its columns:
    with all of them at the repository's usual values the risk would be `without`, so that
    `effect`, the difference to the pull's own risk, is the share of it that this fact carries
    (below 0 if it lowers the risk). `path`, `number` and `lines` are what the sentence is about;
    `number` is an earlier pull.
    """

    kind: str
    text: str
    effect: float
    without: Share
    features: tuple[str, ...]
    path: str | None = None
    number: int | None = None
    lines: int | None = None
    url: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A file to look at first: `share` is the part of the pull's risk that it carries.

    The shares of all source files of the pull add up to 1. `ranges` are the lines to begin with,
    empty if the source of the pull does not tell them.
    """

    path: str
    share: Share
    text: str
    ranges: tuple[LineRange, ...] = ()
    url: str | None = None


class MissingFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that usually changes together with `with_path`, and does not here.

    Of the `support` earlier pulls that changed `with_path`, the share `confidence` changed `path`
    as well.
    """

    path: str
    with_path: str
    support: int
    confidence: Share
    text: str
    url: str | None = None


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who knows the code: neither the author nor a bot, active in the last 90 days.

    `name` is a login (`is_login`) or, from a clone, the name in the commits. `lines` are the lines
    of theirs that the pull rewrites, `files` the files of the pull that they changed before,
    `changes` how often, and `days` how long ago last.
    """

    name: str
    text: str
    is_login: bool = True
    lines: int = 0
    files: int = 0
    changes: int = 0
    days: float | None = None
    url: str | None = None


class Precedent(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier pull much like this one that needed a fix or was reverted, by pull `by`.

    `by` is None if a direct push did it; `days` is how long after its merge. `paths` are the files
    that it shares with this pull.
    """

    number: int
    title: str
    outcome: Outcome
    text: str
    by: int | None = None
    by_title: str | None = None
    days: float | None = None
    paths: tuple[str, ...] = ()
    url: str | None = None
    by_url: str | None = None


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """Another open pull that touches the same files; a branch of a clone has no number.

    `paths` are the files that both change, the most important first, and `same_lines` those of
    them in which they change the same lines, as far as a clone tells that.
    """

    title: str
    paths: tuple[str, ...]
    text: str
    same_lines: tuple[str, ...] = ()
    number: int | None = None
    branch: str | None = None
    url: str | None = None


class Relief(msgspec.Struct, frozen=True, kw_only=True):
    """One change to the pull after which the model says less: `risk` is what it says then.

    `paths` are the files to leave out, or those of the part to split off; both were tried by
    scoring the pull so changed.
    """

    kind: ReliefKind
    text: str
    risk: Share
    paths: tuple[str, ...]


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """All that is told of one pull, most important first; every list may be empty.

    `risk`, `repair` and `revert` are probabilities within 90 days: of needing a fix or being
    reverted, and of each apart; None if the model cannot tell. `percentile` is the per cent of
    the repository's pulls with a lower risk, `usual` their median risk, `novelty` the percentile
    of the novelty. `as_of` is the moment whose knowledge it is told with: that of the merge or
    closing of one that is not open any more. `notes` say what the answers lack (no history,
    unknown author).
    """

    repository: str
    number: int
    title: str
    author: str | None
    state: State
    as_of: datetime | None = None
    verdict: str
    url: str | None = None
    risk: Share | None = None
    repair: Share | None = None
    revert: Share | None = None
    percentile: Percent | None = None
    usual: Share | None = None
    band: Band | None = None
    novelty: Percent | None = None
    category: Category | None = None
    basis: Basis
    reasons: tuple[Reason, ...] = ()
    places: tuple[Place, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    reviewers: tuple[Reviewer, ...] = ()
    precedents: tuple[Precedent, ...] = ()
    under_way: tuple[UnderWay, ...] = ()
    relief: Relief | None = None
    notes: tuple[str, ...] = ()

    @property
    def raising(self) -> list[Reason]:
        """The reasons that have a name and raise the risk, the most important first."""
        return [each for each in self.reasons if each.kind != OTHER and each.effect > 0]

    @property
    def lowering(self) -> list[Reason]:
        """The others that have a name."""
        return [each for each in self.reasons if each.kind != OTHER and each.effect <= 0]


class ScoredPull(Score, frozen=True, kw_only=True):
    """A score with its brief; without one if nobody asked for it."""

    brief: Brief | None = None
