"""What a sentence about a pull is made from: its features beside the usual, and its past."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Final, NamedTuple

from pullrisk.brief.past import Past, Writer
from pullrisk.brief.wording import removing_verb
from pullrisk.pulls.file_kinds import KINDS, path_facts
from pullrisk.pulls.lines import Origin
from pullrisk.pulls.record import ChangedFile, Pull

UP: Final = 1
"""What a sentence says can only raise a risk: it explains no other effect."""
DOWN: Final = -1
EITHER: Final = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the direction in which it can push the risk, and what it is about.

    `more` is what it adds to another sentence about the pull `number`, which is said once then.
    """

    text: str
    direction: int
    path: str | None = None
    number: int | None = None
    lines: int | None = None
    more: str | None = None


class WrittenLines(NamedTuple):
    """Lines of one writer that a pull rewrites or stands beside, and where most of them are."""

    writer: Writer
    lines: int
    path: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """One pull: `row` are its features by name, `usual` the repository's, `past` its history."""

    row: dict[str, float]
    usual: dict[str, float]
    past: Past

    @property
    def pull(self) -> Pull:
        """The pull itself."""
        return self.past.pull

    def known(self, *names: str) -> bool:
        """Whether the values of all these features are known, and what is usual too."""
        return not any(isnan(self.row[name]) or isnan(self.usual[name]) for name in names)

    def files(self, kind: str | None = None) -> list[ChangedFile]:
        """The files of a kind, or all, those with most changed lines first."""
        number = None if kind is None else KINDS.index(kind)
        listed = [
            file
            for file in self.pull.files or ()
            if number is None or path_facts(file.path).kind == number
        ]
        return sorted(listed, key=lambda file: -((file.additions or 0) + (file.deletions or 0)))

    @property
    def verb(self) -> str:
        """What it does to the lines of others: `rewrites` or, if it adds no code, `removes`."""
        return removing_verb(self.row["code_added"])

    def rewrites(self) -> tuple[Origin, ...]:
        """The origins of the code lines that it removes; empty if nobody knows."""
        return (self.pull.lines and self.pull.lines.rewrites) or ()

    def neighbours(self) -> tuple[Origin, ...]:
        """The origins of the lines beside its insertions; empty if nobody knows."""
        return (self.pull.lines and self.pull.lines.neighbours) or ()

    def writers(self, origins: tuple[Origin, ...]) -> Iterator[WrittenLines]:
        """The lines by who wrote them; most lines first."""
        lines: dict[int, int] = {}
        largest: dict[int, Origin] = {}
        for origin in origins:
            lines[origin.number] = lines.get(origin.number, 0) + origin.lines
            before = largest.setdefault(origin.number, origin)
            if origin.lines > before.lines:
                largest[origin.number] = origin
        files = self.pull.files or ()
        for number in sorted(lines, key=lambda each: -lines[each]):
            writer, place = self.past.writer(number), largest[number].file
            if writer is not None:
                path = files[place].path if 0 <= place < len(files) else None
                yield WrittenLines(writer, lines[number], path)

    def usually(self, name: str) -> str:
        """The usual value of a count in brackets: ` (usually 24)`, ` (usually none)`."""
        usual = round(self.usual[name])
        return f" (usually {usual:,})" if usual else " (usually none)"


def shortest_folder(path: str) -> str:
    """The directory of a path with a slash at its end; the root is `the top folder`."""
    return f"{path}/" if path else "the top folder"
