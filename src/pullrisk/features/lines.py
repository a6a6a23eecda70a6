"""Features of the lines that a change rewrites, and of those beside which it inserts: who wrote
them, when, and what became of it.

A line's writer is a merged pull or a direct push, by number. What an origin is known for is as of
the moment: that it was repaired is known from the merge of the repair on.
"""

from typing import Final

from pullrisk.features.decay import days
from pullrisk.features.pull_context import PullContext
from pullrisk.features.pulllog import PullLog
from pullrisk.features.schema import DAY, NEVER, UNKNOWN, Feature, family
from pullrisk.pulls.lines import Origin

FEATURES: Final[tuple[Feature, ...]] = family(
    "rewritten lines",
    ("rewritten_own", "code lines", "log", "code lines of the author's own that it rewrites"),
    ("rewritten_month", "code lines", "log", "code lines of the last 30 days that it rewrites"),
    ("rewritten_quarter", "code lines", "log", "code lines of the last 90 days that it rewrites"),
    ("rewritten_old", "code lines", "log", "code lines older than two years that it rewrites"),
    ("rewritten_fixes", "code lines", "log", "code lines written by a fix that it rewrites"),
    ("rewritten_troubled", "code lines", "log",
     "code lines that it rewrites of pulls that needed a fix or were reverted"),
    ("rewritten_own_share", "share", "linear",
     "share of the rewritten code lines that are the author's own"),
    ("rewritten_month_share", "share", "linear",
     "share of the rewritten code lines that were written in the last 30 days"),
    ("rewritten_quarter_share", "share", "linear",
     "share of the rewritten code lines that were written in the last 90 days"),
    ("rewritten_old_share", "share", "linear",
     "share of the rewritten code lines that are older than two years"),
    ("rewritten_fixes_share", "share", "linear",
     "share of the rewritten code lines that a fix wrote"),
    ("rewritten_troubled_share", "share", "linear",
     "share of the rewritten code lines that are of pulls that needed a fix or were reverted"),
    ("rewritten_repairs", "repairs", "log", "repairs of the pulls whose code lines it rewrites"),
    ("rewritten_origins", "pulls", "log", "pulls and pushes that wrote the rewritten code lines"),
    ("rewritten_authors", "authors", "log", "authors of the rewritten code lines"),
    ("rewritten_age", "days", "log",
     "days since the rewritten code lines were written, on average"),
    ("rewritten_age_min", "days", "log",
     "days since the youngest of the rewritten code lines was written"),
) + family(
    "lines beside insertions",
    ("beside_own_share", "share", "linear",
     "share of the insertions that are beside lines of the author's own"),
    ("beside_month_share", "share", "linear",
     "share of the insertions that are beside lines of the last 30 days"),
    ("beside_quarter_share", "share", "linear",
     "share of the insertions that are beside lines of the last 90 days"),
    ("beside_old_share", "share", "linear",
     "share of the insertions that are beside lines older than two years"),
    ("beside_fixes_share", "share", "linear",
     "share of the insertions that are beside lines that a fix wrote"),
    ("beside_troubled_share", "share", "linear",
     "share of the insertions that are beside lines of pulls that needed a fix or were reverted"),
    ("beside_repairs", "repairs", "log", "repairs of the pulls beside whose lines it inserts"),
    ("beside_origins", "pulls", "log", "pulls and pushes beside whose lines it inserts"),
    ("beside_authors", "authors", "log", "authors of the lines beside which it inserts"),
    ("beside_age", "days", "log",
     "days since the lines beside the insertions were written, on average"),
    ("beside_age_min", "days", "log",
     "days since the youngest of the lines beside the insertions was written"),
)  # fmt: skip

_UNKNOWN_REWRITES: Final = tuple([UNKNOWN] * 17)
_UNKNOWN_NEIGHBOURS: Final = tuple([UNKNOWN] * 11)
_MONTH: Final = 30 * DAY
_QUARTER: Final = 90 * DAY
_OLD: Final = 730 * DAY


class Origins:
    """The writers of lines: the merged pulls of `log` and the direct pushes of `pushes`."""

    def __init__(self, log: PullLog, pushes: PullLog) -> None:
        self._log = log
        self._pushes = pushes

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        lines = context.pull.lines
        if lines is None:
            return (*_UNKNOWN_REWRITES, *_UNKNOWN_NEIGHBOURS)
        rewrites, neighbours = lines.rewrites, lines.neighbours
        return (
            *(_UNKNOWN_REWRITES if rewrites is None else self._sums(rewrites, context, True)),
            *(
                _UNKNOWN_NEIGHBOURS
                if neighbours is None
                else self._sums(neighbours, context, False)
            ),
        )

    def _sums(  # noqa: C901 - one pass, the hot loop
        self, origins: tuple[Origin, ...], context: PullContext, counts: bool
    ) -> tuple[float, ...]:
        """What the origins say: with `counts` the numbers of lines before their shares.

        Lines of a writer whom the history does not know count in the whole alone.
        """
        now, me = context.now, context.author
        total = known = own = month = quarter = old = fixes = troubled = repairs = 0
        aged, youngest = 0.0, NEVER * DAY
        pulls: set[int] = set()
        authors: set[int] = set()
        for origin in origins:
            number: int = origin.number
            lines: int = origin.lines
            total += lines
            log = self._log if number > 0 else self._pushes
            row = log.row(number)
            if row is None:
                continue
            known += lines
            author: int = log.authors[row]
            authors.add(author)
            if author == me and author >= 0:
                own += lines
            age = now - log.merged_at[row]
            if age < 0.0:
                age = 0.0
            aged += age * lines
            if age < youngest:
                youngest = age
            if age < _QUARTER:
                quarter += lines
                if age < _MONTH:
                    month += lines
            elif age > _OLD:
                old += lines
            if log.fixes[row]:
                fixes += lines
            repaired: int = log.repairs[row]
            if repaired or log.failed[row]:
                troubled += lines
            if number not in pulls:
                pulls.add(number)
                repairs += repaired
        several = total or 1
        shares = (
            own / several,
            month / several,
            quarter / several,
            old / several,
            fixes / several,
            troubled / several,
            repairs,
            len(pulls),
            len(authors),
            days(aged / known, NEVER) if known else NEVER,
            days(youngest, NEVER),
        )
        return (own, month, quarter, old, fixes, troubled, *shares) if counts else shares
