"""What a history remembers of each file or directory.

A large repository has tens of thousands of paths, of which a pull touches a handful. A restored
history therefore keeps each record as the bytes it was saved as until its path is asked for:
restoring, saving again and holding many histories in memory cost little for what lies idle.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import exp, log
from typing import Final

import msgspec

from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import PathFacts, path_facts

COOLING: Final = -log(2.0) / (30 * DAY)
"""Rate at which a path's heat fades, per second: it halves in a month."""
LONG_AGO: Final = -1e18

PUSH: Final = -2
"""The number of a direct push, to `touch`: it is none of the history's pulls."""

_State = tuple[
    int,
    float,
    float,
    int,
    int,
    int,
    int,
    int,
    float,
    float,
    dict[int, int],
    int,
    int,
    int,
    float,
    bool,
]


@dataclass(slots=True)
class PathRecord:
    """What is known of one path; times are epoch seconds.

    `facts` are those of the path alone. `id` numbers the paths of a history, `touches` counts
    pulls and pushes, of which `pushes` were no pulls, `authors` the same by author number; `top`
    is the largest of these counts, `heat` the touches of about a month as of `last`. `written`
    counts pulls that added code, `repaired` those whose code in the path was fixed soon; `gone`
    says that the last change removed or renamed it.
    """

    facts: PathFacts
    id: int
    first: float
    last: float
    touches: int = 0
    top: int = 0
    last_author: int = -1
    last_pull: int = -1
    failures: int = 0
    last_failure: float = LONG_AGO
    heat: float = 0.0
    authors: dict[int, int] = field(default_factory=dict)
    pushes: int = 0
    written: int = 0
    repaired: int = 0
    last_repair: float = LONG_AGO
    gone: bool = False

    def fail(self, now: float) -> None:
        """A pull that changed the path turned out to be trouble."""
        self.failures += 1
        self.last_failure = now

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        if self.last_author == gone:
            self.last_author = kept
        if gone in self.authors:
            count = self.authors.pop(gone) + self.authors.get(kept, 0)
            self.authors[kept] = count
            if count > self.top:
                self.top = count

    def state(self) -> _State:
        """All but its facts, in order, as the constructor takes them."""
        return (
            self.id, self.first, self.last, self.touches, self.top, self.last_author,
            self.last_pull, self.failures, self.last_failure, self.heat, self.authors,
            self.pushes, self.written, self.repaired, self.last_repair, self.gone,
        )  # fmt: skip


def touch(records: Iterable[PathRecord], *, now: float, author: int, pull: int, code: bool) -> None:
    """The pull numbered `pull` in this history (or PUSH) changed these paths; author -1 is
    unknown, `code` says that it is known to add code.
    """
    for record in records:
        waited = now - record.last
        record.heat = 1.0 + (record.heat * exp(waited * COOLING) if waited > 0.0 else record.heat)
        record.last = now
        record.touches += 1
        record.last_author = author
        if pull == PUSH:
            record.pushes += 1
        else:
            record.last_pull = pull
            record.written += code
        if author >= 0:
            authors = record.authors
            count = authors[author] = authors.get(author, 0) + 1
            if count > record.top:
                record.top = count


SavedPaths = tuple[list[str], list[msgspec.Raw]]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_State).decode


class PathRecords:
    """Records by path; `paths[n]` is the path numbered n, `facts` tells those of a path."""

    def __init__(
        self, saved: SavedPaths | None = None, *, facts: Callable[[str], PathFacts] = path_facts
    ) -> None:
        self._facts = facts
        self.paths, encoded = saved or ([], [])
        self._decoded: dict[str, PathRecord] = {}
        self._encoded = dict(zip(self.paths, encoded, strict=True))

    def save(self) -> SavedPaths:
        """The state, as the constructor takes it back."""
        decoded, encoded = self._decoded, self._encoded
        return self.paths, [
            msgspec.Raw(_encode(decoded[path].state())) if path in decoded else encoded[path]
            for path in self.paths
        ]

    def find(self, paths: list[str]) -> list[PathRecord | None]:
        """The record of each path, None if it was never touched."""
        if self._encoded:
            self._decode_all(paths)
        decoded = self._decoded
        return [decoded.get(path) for path in paths]

    def add(
        self, path: str, facts: PathFacts, now: float, *, like: PathRecord | None = None
    ) -> PathRecord:
        """A record for a new path, first seen now or a copy of another's."""
        number = len(self.paths)
        if like is None:
            record = PathRecord(facts, number, now, now)
        else:
            record = replace(like, facts=facts, id=number, authors=like.authors.copy())
        self._decoded[path] = record
        self.paths.append(path)
        return record

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        self._decode_all(list(self._encoded))
        for record in self._decoded.values():
            record.replace_author(gone, kept)

    def _decode_all(self, paths: list[str]) -> None:
        for path in paths:
            saved = self._encoded.pop(path, None)
            if saved is not None:
                self._decoded[path] = PathRecord(self._facts(path), *_decode(saved))
