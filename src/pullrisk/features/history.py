"""A repository's history: what it knew at a moment, and the features of a pull in its light.

    history = RepositoryHistory("owner/name")
    for pull in events:                                    # of the store, in event order
        row = history.features(pull, as_of=pull.event_at)  # knows nothing that comes later
        links = history.observe(pull)                      # time moves forward

Serving restores a saved history and calls the very same `features`.
"""

from datetime import datetime
from struct import Struct
from typing import Final

from pullrisk.features import (
    author,
    change,
    content,
    likeness,
    lines,
    repairs,
    repository,
    saved_form,
    text,
    touched,
)
from pullrisk.features.failures import HOTFIX, REVERT, Failures, push_row
from pullrisk.features.knowledge import FACTS
from pullrisk.features.pull_context import PullContext
from pullrisk.features.pulllog import PullLog
from pullrisk.features.repository import RepositoryState
from pullrisk.features.reviewers import Reviewers
from pullrisk.features.saved_form import Saved
from pullrisk.features.schema import DAY, UNKNOWN, Feature, schema_hash
from pullrisk.pulls.outcomes import Link, Linker
from pullrisk.pulls.outcomes.fixes import says_fix
from pullrisk.pulls.record import Pull

FEATURES: Final[tuple[Feature, ...]] = (
    *change.FEATURES,
    *repository.FEATURES,
    *author.FEATURES,
    *touched.FEATURES,
    *text.FEATURES,
    *likeness.FEATURES,
    *content.FEATURES,
    *lines.FEATURES,
    *repairs.FEATURES,
    *change.TIME_FEATURES,
)
"""Every feature, in the order of a row."""
NAMES: Final = tuple(feature.name for feature in FEATURES)
_OF_AUTHOR: Final = [NAMES.index(name) for name in FACTS["author"]]
"""Places of what is unknown of an author whom nothing ties to the history."""
ROW: Final = Struct(f"={len(FEATURES)}f")
"""A row as float32 in bytes, which numpy reads in half the time that a list takes it."""
SCHEMA_HASH: Final = schema_hash(FEATURES, version=3)
"""Feature tables, histories and models of another hash do not fit this code."""

COMPILED: Final = not __file__.endswith(".py")
"""Whether this fold runs as C (a wheel built where a compiler was) or as Python."""

FAILURE_WINDOW: Final = 90 * DAY
"""Seconds after its merge within which a revert or hot-fix counts as a pull's failure, and
a fix of its lines as its repair."""
_FAILURES: Final = frozenset(("revert", "partial_revert", "hotfix"))


class RepositoryHistory:
    """Everything that the features of one repository remember; grows by `observe` alone."""

    def __init__(self, repository_name: str) -> None:
        self.repository = repository_name
        self.as_of: datetime | None = None
        """Time of the latest event observed."""
        self.pulls = 0
        """Merged and closed pulls observed."""
        self._overall = RepositoryState()
        self.authors = author.Authors()
        self.touched = touched.Touched()
        self._words = text.TitleWords()
        self.log = PullLog()
        self._likeness = likeness.Likeness(self.log)
        self.pushes = PullLog()
        self.failures = Failures()
        self.reviewers = Reviewers()
        self.derived: object = None
        """What a reader makes of the history and keeps with it; it is not saved."""
        self._origins = lines.Origins(self.log, self.pushes)
        self._linker = Linker()
        self._of_pushes: list[Link] = []
        """What pushes said since the last merge, which tells it."""
        self._latest: tuple[Pull, datetime, PullContext] | None = None

    def features(self, pull: Pull, *, as_of: datetime) -> list[float]:
        """One row in the order of FEATURES: raw values, from what is known by now.

        A value is UNKNOWN (NaN) where the pull's source cannot know it, else finite.

        `as_of` is the moment of the question: just before the merge for a training row, the
        present for an open pull. The pull's own merge or closing is never looked at.
        """
        context = self._context(pull, as_of)
        row = [
            *change.features(context),
            *self._overall.features(context),
            *self.authors.features(context),
            *self.touched.features(context),
            *self._words.features(context),
            *self._likeness.features(context),
            *content.features(context),
            *self._origins.features(context),
            *repairs.features(context, self._overall, self.authors.record(context.author)),
            *change.time_features(context),
        ]
        if not self.authors.tells(context.names):
            for place in _OF_AUTHOR:
                row[place] = UNKNOWN
        return row

    def observe(self, pull: Pull) -> tuple[Link, ...]:
        """Move time forward to the pull's merge or closing; what a merge says of earlier pulls.

        A direct push says it later: its links, with its time, come with those of the next merge,
        because it has no row that could keep them. Raises ValueError for an open pull.
        """
        moment = pull.event_at
        if moment is None:
            raise ValueError(f"{pull.repository}#{pull.number} is open: nothing happened yet")
        context = self._context(pull, moment)
        self._latest = None
        self.as_of = moment if self.as_of is None else max(self.as_of, moment)
        if pull.is_push:
            self._push(context)
            return ()
        merged = pull.merged_at is not None
        self._overall.observe(context, merged=merged)
        self._meet(context)
        routine = merged and self._is_routine(context)
        self.authors.observe(context, merged=merged, routine=routine)
        self.pulls += 1
        if not merged:
            return ()
        links = (*self._of_pushes, *self._merge(context))
        self._of_pushes = []
        return links

    def save(self) -> bytes:
        """The whole history, compact; `load` gives back one that goes on exactly the same."""
        saved = Saved(
            schema=SCHEMA_HASH,
            repository=self.repository,
            as_of=self.as_of,
            pulls=self.pulls,
            overall=self._overall,
            authors=self.authors.save(),
            touched=self.touched.save(),
            words=self._words.save(),
            log=self.log.save(),
            pushes=self.pushes.save(),
            titles=self.log.saved_titles(),
            failures=self.failures.save(),
            reviewers=self.reviewers.save(),
            linker=self._linker.state(),
            of_pushes=self._of_pushes,
        )
        return saved_form.pack(saved)

    @classmethod
    def load(cls, data: bytes) -> "RepositoryHistory":
        """The history that `save` wrote; ValueError if it is corrupt or of another schema."""
        saved = saved_form.unpack(data)
        if saved.schema != SCHEMA_HASH:
            raise ValueError(f"feature schema {saved.schema}, expected {SCHEMA_HASH}")
        return cls._restored(saved)

    @classmethod
    def _restored(cls, saved: Saved) -> "RepositoryHistory":
        history = cls(saved.repository)
        history.as_of, history.pulls = saved.as_of, saved.pulls
        history._overall = saved.overall
        history.authors = author.Authors(saved.authors)
        history.touched = touched.Touched(saved.touched)
        history._words = text.TitleWords(saved.words)
        history.log = PullLog.load(saved.log, saved.titles)
        history._likeness = likeness.Likeness(history.log)
        history.pushes = PullLog.load(saved.pushes)
        history.failures = Failures(saved.failures)
        history.reviewers = Reviewers(saved.reviewers)
        history._origins = lines.Origins(history.log, history.pushes)
        history._linker = Linker.restore(saved.linker)
        history._of_pushes = saved.of_pushes
        return history

    def _meet(self, context: PullContext) -> None:
        """The author is seen; whoever turns out to be the same one is so everywhere."""
        for gone in self.authors.meet(context):
            self.touched.replace_author(gone, context.author)
            self.log.replace_author(gone, context.author)
            self.pushes.replace_author(gone, context.author)

    def _is_routine(self, context: PullContext) -> bool:
        """Whether an author who could be a robot merges what is like an earlier pull."""
        if context.author < 0 or not self.authors.by_id[context.author].robotic:
            return False
        return self._likeness.features(context)[0] >= author.ROUTINE

    def _links(self, context: PullContext) -> tuple[Link, ...]:
        """What the merge or push says of earlier pulls, whose failures are noted."""
        links = self._linker.observe(context.pull)
        for link in links:
            if link.kind in _FAILURES:
                self._fail(link, context)
            elif link.kind == "repair":
                self._repair(link.number, context)
        return links

    def _push(self, context: PullContext) -> None:
        """A direct push: what is known of people, files and outcomes grows, but no count of
        pulls does.
        """
        links = self._links(context)
        self._of_pushes += links
        self._meet(context)
        self.touched.observe_push(context)
        self.pushes.append(context, files=[], words=[], fixes=_is_fix(context, links))

    def _merge(self, context: PullContext) -> tuple[Link, ...]:
        links = self._links(context)
        self.reviewers.observe(context.pull, len(self.log))
        files = self.touched.observe(context, len(self.log))
        self._words.observe(context.buckets)
        self._likeness.observe(context.buckets)
        fixes = _is_fix(context, links)
        self.log.append(context, files=files, words=context.buckets, fixes=fixes)
        return links

    def _repair(self, number: int, context: PullContext) -> None:
        """The pull or push is a fix that rewrites code lines of an earlier one."""
        log, changed = self.log if number > 0 else self.pushes, context.pull.lines
        row = log.row(number)
        if row is None or changed is None:
            return
        soon = context.now - log.merged_at[row] <= FAILURE_WINDOW
        first = bool(number > 0 and soon and log.written[row] and not log.repairs[row])
        log.repairs[row] += 1
        listed = len(context.files)
        places = {
            origin.file
            for origin in changed.rewrites or ()
            if origin.number == number and 0 <= origin.file < listed
        }
        repaired = self.touched.repair(places, context, first=first)
        self.failures.add_repair(
            row if number > 0 else push_row(row), self._next_row(context), repaired
        )
        if first:
            self._overall.repair(context.now)
            self.authors.repair(log.authors[row])

    def _fail(self, link: Link, context: PullContext) -> None:
        row, now = self.log.row(link.number), context.now
        if row is None:
            return
        kind = HOTFIX if link.kind == "hotfix" else REVERT
        self.failures.add(row, self._next_row(context), kind)
        self.log.failed[row] = 1
        if now - self.log.merged_at[row] > FAILURE_WINDOW:
            return
        self._overall.fail(now)
        self.authors.fail(self.log.authors[row], now)
        self.touched.fail(self.log.files_of(row), now)
        self._words.fail(self.log.words_of(row).tolist())

    def _next_row(self, context: PullContext) -> int:
        """The row that the pull or push will have, as `Failures` tells rows."""
        return push_row(len(self.pushes)) if context.pull.is_push else len(self.log)

    def _context(self, pull: Pull, moment: datetime) -> PullContext:
        """The pull as of `moment`; `features` and the `observe` that follows share one."""
        latest = self._latest
        if latest is not None and latest[0] is pull and latest[1] is moment:
            return latest[2]
        overall = self._overall
        records = self.touched.known(pull)
        context = PullContext(
            pull,
            moment,
            records,
            prior=overall.prior,
            merged=overall.merged,
            unmerged=overall.unmerged,
        )
        context.author = self.authors.id(context.names)
        self._latest = pull, moment, context
        return context


def _is_fix(context: PullContext, links: tuple[Link, ...]) -> bool:
    """Whether the pull says that it fixes something; False if nobody can rewrite code of it."""
    if not context.adds_code:
        return False
    # What repairs has said so: asking is dear.
    return any(link.kind == "repair" for link in links) or says_fix(context.pull)
