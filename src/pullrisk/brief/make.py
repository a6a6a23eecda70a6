"""Makes the brief of a pull from its score, its features and its repository's history."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from pullrisk.brief.case import Case
from pullrisk.brief.diffs import Diffs
from pullrisk.brief.hotspots import places
from pullrisk.brief.index import PullInIndex
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
from pullrisk.pulls.hunks import ChangedHunk, UnmergedWork
from pullrisk.pulls.record import Pull
from pullrisk.score.result import UNKNOWN_AUTHOR, WARNINGS, Score
from pullrisk.score.scorer import Judged, Scorer

_NO_FILES: Final = "its files are not known: nothing is told of them"
_NO_LINES: Final = (
    "whose lines it rewrites is not known: only a clone that has its commits tells that"
)


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
        judged = self._scorer.judge(pulls, now=now)
        return [
            self.brief_of(pull, each, now=now, works=works)
            for pull, each in zip(pulls, judged, strict=True)
        ]

    def scored(
        self, pulls: Sequence[Pull], *, now: datetime, briefed: bool = True
    ) -> list[ScoredPull]:
        """The scores of pulls in the order given, with their briefs if `briefed`.

        Raises LakeError.
        """
        judged = self._scorer.judge(pulls, now=now)
        return [
            ScoredPull(
                **msgspec.structs.asdict(each.score),
                brief=self.brief_of(pull, each, now=now) if briefed else None,
            )
            for pull, each in zip(pulls, judged, strict=True)
        ]

    def reasons(self, pull: Pull, judged: Judged) -> tuple[Reason, ...]:
        """The reasons alone; empty if the risk is unknown."""
        occlusion = self._occlusion(pull)
        case = _case(pull, judged, occlusion, self._seen(pull, judged))
        if not known(judged.score, case.past.merged):
            return ()
        site = self._scorer.site
        return tuple(at_site(each, site) for each in reasons(occlusion, judged.row, case))

    def brief_of(
        self, pull: Pull, judged: Judged, *, now: datetime, works: Sequence[UnmergedWork] = ()
    ) -> Brief:
        """The brief of a pull that was judged by the same scorer."""
        score, occlusion = judged.score, self._occlusion(pull)
        seen = self._seen(pull, judged)
        case = _case(pull, judged, occlusion, seen)
        usual = self._usual_risk(pull.repository)
        told = known(score, case.past.merged)
        brief = Brief(
            repository=pull.repository,
            number=pull.number,
            title=pull.title,
            author=pull.author,
            state=score.state,
            url=pull_url(pull.repository, pull.number),
            verdict=verdict(score, usual, case.past.merged),
            risk=score.risk if told else None,
            repair=score.repair if told else None,
            revert=score.revert if told else None,
            percentile=score.percentile if told else None,
            usual=usual if told else None,
            band=score.band if told else None,
            novelty=score.novelty if told else None,
            category=score.category,
            basis=score.basis,
            reasons=reasons(occlusion, judged.row, case) if told else (),
            places=() if seen is None else places(seen, self._hunks(pull)),
            missing=() if seen is None else missing(seen),
            reviewers=() if seen is None else reviewers(seen),
            precedents=() if seen is None else precedents(seen),
            under_way=under_way(
                None if seen is None else seen.history,
                pull,
                [*works, *self._branches(pull, score.as_of)],
                score.as_of,
            ),
            relief=self._relief(pull, score, case.past, now) if told else None,
            notes=_notes(pull, score),
        )
        return at_site(brief, self._scorer.site)

    def _occlusion(self, pull: Pull) -> Occlusion:
        return Occlusion(self._scorer.bundle, pull.repository)

    def _seen(self, pull: Pull, judged: Judged) -> PullInIndex | None:
        """The pull beside its repository's history; None if there is none."""
        history = self._scorer.histories.get(pull.repository).history
        return None if history is None else PullInIndex(history, pull, judged.score.as_of)

    def _hunks(self, pull: Pull) -> Callable[[str], Sequence[ChangedHunk]] | None:
        return None if self._diffs is None else partial(self._diffs.hunks, pull)

    def _branches(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        return () if self._diffs is None else self._diffs.unmerged(pull, moment)

    def _relief(self, pull: Pull, score: Score, past: Past, now: datetime) -> Relief | None:
        if score.risk is None or score.band == "low":
            return None

        def changed(other: Pull) -> float | None:
            return self._scorer.score([other], now=now, rows={})[0].risk

        return relief(pull, score.risk, past, score=changed)

    def _usual_risk(self, repository: str) -> float | None:
        """The median risk of the repository's pulls."""
        metadata = self._scorer.bundle.metadata
        return metadata.risk.threshold(0.5, repository) if metadata.risk_available else None


def _case(pull: Pull, judged: Judged, occlusion: Occlusion, seen: PullInIndex | None) -> Case:
    row = dict(zip(occlusion.names, judged.row.tolist(), strict=True))
    return Case(pull, row, occlusion.usual_by_name, Past(seen))


def _notes(pull: Pull, score: Score) -> tuple[str, ...]:
    """What the answers lack."""
    notes = [WARNINGS[score.basis]] if score.basis in WARNINGS else []
    if score.author and not score.author_known and score.basis != "no history":
        notes.append(UNKNOWN_AUTHOR)
    if pull.files is None:
        notes.append(_NO_FILES)
    if pull.lines is None or pull.lines.rewrites is None:
        notes.append(_NO_LINES)
    return tuple(notes)
