"""Makes the brief of a pull from its score, its features and its repository's history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import msgspec

from pullrisk.brief.case import Case
from pullrisk.brief.hotspots import places
from pullrisk.brief.links import at_site, pull_url
from pullrisk.brief.missing import missing
from pullrisk.brief.past import Past
from pullrisk.brief.precedents import precedents
from pullrisk.brief.reasons import Occlusion, reasons
from pullrisk.brief.relief import relief
from pullrisk.brief.result import Brief, Reason, Relief, ScoredPull
from pullrisk.brief.reviewers import reviewers
from pullrisk.brief.under_way import under_way
from pullrisk.brief.verdict import known, verdict
from pullrisk.features import RepositoryHistory
from pullrisk.pulls.lines import ChangedHunk, UnmergedWork
from pullrisk.pulls.record import Pull
from pullrisk.score.result import UNKNOWN_AUTHOR, WARNINGS, Score
from pullrisk.score.scorer import ScoredRow, Scorer

_NO_FILES: Final = "its files are not known: nothing is told of them"
_CHANGES_NOTHING: Final = "it changes no file"
_NO_LINES: Final = (
    "whose lines it rewrites is not known: only a whole clone that has its commits tells that"
)


class Diffs(Protocol):
    """Reads pulls' own changes line by line, and those of branches."""

    def hunks(self, pull: Pull, path: str) -> Sequence[ChangedHunk]:
        """The hunks of one file of the pull, in order; empty if the clone does not tell."""
        ...

    def unmerged(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        """The branches that were not merged at the moment and change files of the pull."""
        ...


class KnownHunks:
    """The hunks of one pull by path, where somebody told them who knows of no branches."""

    def __init__(self, hunks: Mapping[str, Sequence[ChangedHunk]]) -> None:
        self._hunks = hunks

    def hunks(self, pull: Pull, path: str) -> Sequence[ChangedHunk]:
        """The hunks of one file of the pull, in order."""
        return self._hunks.get(path, ())

    def unmerged(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        """None."""
        return ()


class BriefMaker:
    """Makes briefs with one scorer: its model, and the histories that it reads.

    `diffs` are those of the clone that has the pulls, which tells of lines and of branches.
    """

    def __init__(self, scorer: Scorer, diffs: Diffs | None = None) -> None:
        self._scorer, self._diffs = scorer, diffs

    def brief(
        self,
        pull: Pull,
        *,
        now: datetime,
        works: Sequence[UnmergedWork] = (),
    ) -> Brief:
        """The brief of one pull; an open one as of `now`. Raises LakeError.

        `works` may be under way at the same time: open pulls of its repository (`open_works`).
        """
        return self.briefs([pull], now=now, works=works)[0]

    def briefs(
        self,
        pulls: Sequence[Pull],
        *,
        now: datetime,
        works: Sequence[UnmergedWork] = (),
    ) -> list[Brief]:
        """The briefs of pulls in the order given. Raises LakeError."""
        scored = self._scorer.score_rows(pulls, now=now)
        return [
            self.brief_of(pull, each, now=now, works=works)
            for pull, each in zip(pulls, scored, strict=True)
        ]

    def scored(
        self, pulls: Sequence[Pull], *, now: datetime, briefed: bool = True
    ) -> list[ScoredPull]:
        """The scores of pulls in the order given, with their briefs if `briefed`.

        Raises LakeError.
        """
        scored = self._scorer.score_rows(pulls, now=now)
        return [
            ScoredPull(
                **msgspec.structs.asdict(each.score),
                brief=self.brief_of(pull, each, now=now) if briefed else None,
            )
            for pull, each in zip(pulls, scored, strict=True)
        ]

    def reasons(self, pull: Pull, scored: ScoredRow) -> tuple[Reason, ...]:
        """The reasons alone; empty if the risk is unknown."""
        past = self._past(pull, scored.score)
        if not known(scored.score, past.rows):
            return ()
        site = self._scorer.site
        return tuple(at_site(each, site) for each in self._reasons(scored, past))

    def brief_of(
        self, pull: Pull, scored: ScoredRow, *, now: datetime, works: Sequence[UnmergedWork] = ()
    ) -> Brief:
        """The brief of a pull that the same scorer has scored."""
        score, past = scored.score, self._past(pull, scored.score)
        usual = self._usual_risk(pull.repository)
        is_known = known(score, past.rows)
        brief = Brief(
            repository=pull.repository,
            number=pull.number,
            title=pull.title,
            author=pull.author,
            state=score.state,
            as_of=score.as_of,
            url=pull_url(pull.repository, pull.number),
            verdict=verdict(score, usual, past.rows),
            risk=score.risk if is_known else None,
            repair=score.repair if is_known else None,
            revert=score.revert if is_known else None,
            percentile=score.percentile if is_known else None,
            usual=usual if is_known else None,
            band=score.band if is_known else None,
            novelty=score.novelty if is_known else None,
            category=score.category,
            basis=score.basis,
            reasons=self._reasons(scored, past) if is_known else (),
            places=places(past, self._hunks(pull)) if self._history(pull) else (),
            missing=missing(past),
            reviewers=reviewers(past),
            precedents=precedents(past),
            under_way=under_way(past, [*works, *self._branches(pull, score.as_of)]),
            relief=self._relief(past, score, now) if is_known else None,
            notes=_notes(pull, score),
        )
        return at_site(brief, self._scorer.site)

    def _history(self, pull: Pull) -> RepositoryHistory | None:
        return self._scorer.histories.get(pull.repository).history

    def _past(self, pull: Pull, score: Score) -> Past:
        """The pull's past; an empty one if its repository has no history."""
        return Past(self._history(pull) or RepositoryHistory(pull.repository), pull, score.as_of)

    def _reasons(self, scored: ScoredRow, past: Past) -> tuple[Reason, ...]:
        occlusion = Occlusion(self._scorer.bundle, past.pull.repository)
        row = dict(zip(occlusion.names, scored.row.tolist(), strict=True))
        return reasons(occlusion, scored.row, Case(row, occlusion.usual_by_name, past))

    def _hunks(self, pull: Pull) -> Callable[[str], Sequence[ChangedHunk]] | None:
        return None if self._diffs is None else partial(self._diffs.hunks, pull)

    def _branches(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        return () if self._diffs is None else self._diffs.unmerged(pull, moment)

    def _relief(self, past: Past, score: Score, now: datetime) -> Relief | None:
        if score.risk is None or score.band == "low":
            return None

        def changed(other: Pull) -> float | None:
            return self._scorer.score([other], now=now, rows={})[0].risk

        return relief(past, score.risk, score=changed)

    def _usual_risk(self, repository: str) -> float | None:
        """The median risk of the repository's pulls."""
        metadata = self._scorer.bundle.metadata
        return metadata.risk.threshold(0.5, repository) if metadata.risk_available else None


def _notes(pull: Pull, score: Score) -> tuple[str, ...]:
    """What the answers lack."""
    notes = [WARNINGS[score.basis]] if score.basis in WARNINGS else []
    if score.author and not score.author_known and score.basis != "no history":
        notes.append(UNKNOWN_AUTHOR)
    if pull.files is None:
        notes.append(_NO_FILES)
    elif not pull.files:
        notes.append(_CHANGES_NOTHING)
    if pull.lines is None or pull.lines.rewrites is None:
        notes.append(_NO_LINES)
    return tuple(notes)
