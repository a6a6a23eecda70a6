"""The sentences about the lines that a change rewrites, and beside which it inserts."""

from collections.abc import Callable
from typing import Final

from pullrisk.brief.case import DOWN, EITHER, UP, Case, Sentence, WrittenLines
from pullrisk.brief.past import Writer
from pullrisk.brief.wording import age, counted, duration, share
from pullrisk.features.failures import REPAIR
from pullrisk.pulls.lines import Origin

YOUNG_LINES: Final = "young lines"
"""The fact about the youngest lines; what is told of their pull is added to it."""
YOUNG_DAYS: Final = 90.0
"""Days for which lines are young."""
_OLD: Final = 730.0


def _young_lines(case: Case) -> Sentence | None:
    if not case.known("rewritten_quarter", "rewritten_old_share"):
        return None
    young = round(case.row["rewritten_quarter"])
    if young:
        return _rewrites(case, young)
    if case.row["rewritten_old_share"] > 0.5:
        lines = counted(case.row["rewritten_old"], "line")
        return Sentence(f"{case.verb} {lines} older than two years", DOWN)
    if case.usual["rewritten_quarter"] or case.usual["rewritten_quarter_share"]:
        return Sentence(f"{case.verb} no line of the last 90 days", DOWN)
    return None


def _rewrites(case: Case, young: int) -> Sentence:
    written = _young(case, case.rewrites())
    if written is None:
        return Sentence(
            f"{case.verb} {counted(young, 'line')} of the last 90 days", UP, lines=young
        )
    writer, lines, path = written
    wrote = f"that {writer.name} wrote {age(writer.days)}"
    if lines >= young:
        text = f"{case.verb} {counted(lines, 'line')} {wrote}"
    else:
        young_lines = f"{counted(young, 'line')} of the last 90 days"
        text = f"{case.verb} {young_lines}, {lines:,} of them {wrote}"
    return Sentence(text, UP, path=path, number=writer.pull, lines=young)


def _young(case: Case, origins: tuple[Origin, ...]) -> WrittenLines | None:
    """The most lines that were written lately by one pull; None if none were."""
    return next((each for each in case.writers(origins) if each.writer.days <= YOUNG_DAYS), None)


def _repaired_lines(case: Case) -> Sentence | None:
    if not case.known("rewritten_troubled"):
        return None
    lines = round(case.row["rewritten_troubled"])
    what = f"{case.verb} {counted(lines, 'line')}"
    return _of_troubled(case, case.rewrites(), what) if lines else None


def _beside_repaired(case: Case) -> Sentence | None:
    if not case.known("beside_troubled_share") or not case.row["beside_troubled_share"]:
        return None
    return _of_troubled(case, case.neighbours(), "inserts beside lines")


def _of_troubled(case: Case, origins: tuple[Origin, ...], what: str) -> Sentence:
    troubled = [each for each in case.writers(origins) if each.writer.trouble and each.writer.pull]
    if not troubled:
        return Sentence(f"{what} of pulls that needed a fix or were reverted", UP)
    writer, _, path = troubled[0]
    if len(troubled) > 1:
        others = counted(len(troubled) - 1, "other pull")
        last = age(min(each.writer.days - each.writer.delay for each in troubled))
        text = f"{what} of #{writer.number} and {others} that needed a fix or were reverted"
        text = f"{text}, last {last}"
    else:
        text = f"{what} of #{writer.number}, which {befell(writer)}"
    more = f"#{writer.number} {befell(writer)}" if len(troubled) == 1 else None
    return Sentence(text, UP, path=path, number=writer.number, more=more)


def befell(writer: Writer) -> str:
    """What became of the pull that wrote lines: `needed a fix after 9 days (#12)`."""
    trouble = writer.trouble
    if trouble is None:
        return "needed a fix"
    by = f" (#{trouble.by})" if trouble.by > 0 else ""
    what = "needed a fix" if trouble.kind == REPAIR else "was reverted or hot-fixed"
    return f"{what} after {duration(writer.delay)}{by}"


def _lines_of_fixes(case: Case) -> Sentence | None:
    if not case.known("rewritten_fixes") or not case.row["rewritten_fixes"]:
        return None
    what = f"{case.verb} {counted(case.row['rewritten_fixes'], 'line')}"
    fixes = [
        each for each in case.writers(case.rewrites()) if each.writer.fixes and each.writer.pull
    ]
    if not fixes:
        return Sentence(f"{what} that a fix wrote", UP)
    writer, _, path = fixes[0]
    if len(fixes) > 1:
        text, more = f"{what} that fixes wrote (#{writer.number} and others)", None
    else:
        text = f"{what} that a fix wrote (#{writer.number})"
        more = f"#{writer.number} was itself a fix"
    return Sentence(text, UP, path=path, number=writer.number, more=more)


def _own_lines(case: Case) -> Sentence | None:
    if not case.known("rewritten_own_share") or not case.row["rewritten_origins"]:
        return None
    own = case.row["rewritten_own_share"]
    if own == case.usual["rewritten_own_share"]:
        return None
    if own == 0.0:
        return Sentence(f"all lines that it {case.verb} were written by others", EITHER)
    text = "all lines" if own >= 0.995 else f"{share(own)} of the lines"
    return Sentence(f"{text} that it {case.verb} are the author's own", EITHER)


def _writers(case: Case) -> Sentence | None:
    origins, authors = "rewritten_origins", "rewritten_authors"
    if not case.known(origins, authors) or case.row[origins] <= max(1.0, case.usual[origins]):
        return None
    usual = f"{round(case.usual[origins])} by {round(case.usual[authors])}"
    text = (
        f"{case.verb} lines of {counted(case.row[origins], 'earlier change')} by "
        f"{counted(case.row[authors], 'person', 'people')} "
        f"(usually {usual if case.usual[origins] else 'none'})"
    )
    return Sentence(text, UP)


def _beside_young(case: Case) -> Sentence | None:
    if not case.known("beside_quarter_share", "beside_old_share"):
        return None
    if case.row["beside_quarter_share"] > case.usual["beside_quarter_share"]:
        written = _young(case, case.neighbours())
        if written is None:
            return Sentence("inserts beside lines of the last 90 days", UP)
        writer, _, path = written
        text = f"inserts beside lines that {writer.name} wrote {age(writer.days)}"
        return Sentence(
            text, UP, path=path, number=writer.pull, more="inserts beside its lines too"
        )
    if case.row["beside_old_share"] > max(0.5, case.usual["beside_old_share"]):
        return Sentence("inserts beside lines older than two years", DOWN)
    return None


LINE_SENTENCES: Final[dict[str, Callable[[Case], Sentence | None]]] = {
    YOUNG_LINES: _young_lines,
    "repaired lines": _repaired_lines,
    "lines of fixes": _lines_of_fixes,
    "own lines": _own_lines,
    "writers": _writers,
    "beside young lines": _beside_young,
    "beside repaired lines": _beside_repaired,
}
