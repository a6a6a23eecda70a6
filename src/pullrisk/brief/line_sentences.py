"""The sentences about the lines that a change rewrites, and beside which it inserts."""

from collections.abc import Callable
from typing import Final

from pullrisk.brief.case import DOWN, EITHER, UP, Case, Said
from pullrisk.brief.past import Writer
from pullrisk.brief.wording import age, counted, share
from pullrisk.features.failures import REPAIR
from pullrisk.pulls.lines import Origin

YOUNG_LINES: Final = "young lines"
"""The fact about the youngest lines; what is told of their pull is added to it."""
YOUNG_DAYS: Final = 90.0
"""Days for which lines are young."""
_OLD: Final = 730.0


def _young_lines(case: Case) -> Said | None:
    if not case.known("rewritten_quarter", "rewritten_old_share"):
        return None
    young = round(case.row["rewritten_quarter"])
    if young:
        return _rewrites(case, young)
    if case.row["rewritten_old_share"] > 0.5:
        lines = counted(case.row["rewritten_old"], "line")
        return Said(f"rewrites {lines} older than two years", DOWN)
    if case.usual["rewritten_quarter"] or case.usual["rewritten_quarter_share"]:
        return Said("rewrites no line of the last 90 days", DOWN)
    return None


def _rewrites(case: Case, young: int) -> Said:
    recent = (one for one in case.writers(case.rewrites()) if one[0].days <= YOUNG_DAYS)
    writer, lines, path = next(recent, (None, 0, None))
    if writer is None:
        return Said(f"rewrites {counted(young, 'line')} of the last 90 days", UP, lines=young)
    wrote = f"that {writer.name} wrote {age(writer.days)}"
    if lines >= young:
        text = f"rewrites {counted(lines, 'line')} {wrote}"
    else:
        text = f"rewrites {counted(young, 'line')} of the last 90 days, {lines:,} of them {wrote}"
    return Said(text, UP, path=path, number=writer.pull, lines=young)


def _repaired_lines(case: Case) -> Said | None:
    if not case.known("rewritten_troubled"):
        return None
    lines = round(case.row["rewritten_troubled"])
    return (
        _of_troubled(case, case.rewrites(), f"rewrites {counted(lines, 'line')}") if lines else None
    )


def _beside_repaired(case: Case) -> Said | None:
    if not case.known("beside_troubled_share") or not case.row["beside_troubled_share"]:
        return None
    return _of_troubled(case, case.neighbours(), "inserts beside lines")


def _of_troubled(case: Case, origins: tuple[Origin, ...], what: str) -> Said:
    troubled = [one for one in case.writers(origins) if one[0].trouble and one[0].pull]
    if not troubled:
        return Said(f"{what} of pulls that needed a fix or were reverted", UP)
    writer, _, path = troubled[0]
    if len(troubled) > 1:
        others = counted(len(troubled) - 1, "other pull")
        text = f"{what} of #{writer.number} and {others} that needed a fix or were reverted"
    else:
        text = f"{what} of #{writer.number}, which {befell(writer)}"
    more = f"#{writer.number} {befell(writer)}" if len(troubled) == 1 else None
    return Said(text, UP, path=path, number=writer.number, more=more)


def befell(writer: Writer) -> str:
    """What became of the pull that wrote lines: `needed a fix (#12)`."""
    trouble = writer.trouble
    if trouble is None:
        return "needed a fix"
    by = f" (#{trouble.by})" if trouble.by > 0 else ""
    return f"{'needed a fix' if trouble.kind == REPAIR else 'was reverted or hot-fixed'}{by}"


def _lines_of_fixes(case: Case) -> Said | None:
    if not case.known("rewritten_fixes") or not case.row["rewritten_fixes"]:
        return None
    lines = counted(case.row["rewritten_fixes"], "line")
    fixes = [one for one in case.writers(case.rewrites()) if one[0].fixes and one[0].pull]
    if not fixes:
        return Said(f"rewrites {lines} that a fix wrote", UP)
    writer, _, path = fixes[0]
    more = " and others" if len(fixes) > 1 else ""
    text = f"rewrites {lines} that fixes wrote (#{writer.number}{more})"
    one = f"rewrites {lines} that a fix wrote (#{writer.number})"
    add = None if more else f"#{writer.number} was itself a fix"
    return Said(text if more else one, UP, path=path, number=writer.number, more=add)


def _own_lines(case: Case) -> Said | None:
    if not case.known("rewritten_own_share") or not case.row["rewritten_origins"]:
        return None
    own = case.row["rewritten_own_share"]
    if own == case.usual["rewritten_own_share"]:
        return None
    if own == 0.0:
        return Said("all lines that it rewrites were written by others", EITHER)
    text = "all lines" if own >= 0.995 else f"{share(own)} of the lines"
    return Said(f"{text} that it rewrites are the author's own", EITHER)


def _writers(case: Case) -> Said | None:
    origins, authors = "rewritten_origins", "rewritten_authors"
    if not case.known(origins, authors) or case.row[origins] <= max(1.0, case.usual[origins]):
        return None
    usual = f"{round(case.usual[origins])} by {round(case.usual[authors])}"
    text = (
        f"rewrites lines of {counted(case.row[origins], 'earlier change')} by "
        f"{counted(case.row[authors], 'person', 'people')} "
        f"(usually {usual if case.usual[origins] else 'none'})"
    )
    return Said(text, UP)


def _beside_young(case: Case) -> Said | None:
    if not case.known("beside_quarter_share", "beside_old_share"):
        return None
    if case.row["beside_quarter_share"] > case.usual["beside_quarter_share"]:
        recent = (one for one in case.writers(case.neighbours()) if one[0].days <= YOUNG_DAYS)
        writer, _, path = next(recent, (None, 0, None))
        if writer is None:
            return Said("inserts beside lines of the last 90 days", UP)
        text = f"inserts beside lines that {writer.name} wrote {age(writer.days)}"
        return Said(text, UP, path=path, number=writer.pull, more="inserts beside its lines too")
    if case.row["beside_old_share"] > max(0.5, case.usual["beside_old_share"]):
        return Said("inserts beside lines older than two years", DOWN)
    return None


LINE_SENTENCES: Final[dict[str, Callable[[Case], Said | None]]] = {
    YOUNG_LINES: _young_lines,
    "repaired lines": _repaired_lines,
    "lines of fixes": _lines_of_fixes,
    "own lines": _own_lines,
    "writers": _writers,
    "beside young lines": _beside_young,
    "beside repaired lines": _beside_repaired,
}
