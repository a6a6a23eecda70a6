"""Reads the text of patches piece by piece: a commit may be larger than the memory.

Contents are never searched for headers: every line of a hunk has a sign before it, and the hunk
says how many there are.
"""

import re
from collections.abc import Iterator
from typing import Final

from pullrisk.fetch.git.process import GitProcess
from pullrisk.repository_config.globs import PathGlobs

_CHUNK: Final = 1 << 18
PIECE: Final = 1 << 20
"""Bytes of a hunk's side that are read at once; a larger one comes in several pieces."""
_HEADER: Final = re.compile(
    rb"diff --git [^\n]*\n(?:(?:old|new|deleted|similarity|dissimilarity|rename|copy) [^\n]*\n)*+"
    rb"(?:index (\S*)[^\n]*\n)?(?:(?:---|\+\+\+) [^\n]*\n)*+(Binary files [^\n]*\n)?"
)
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@[^\n]*\n")
_SIDES: Final = {
    b"-": re.compile(rb"(?:-[^\n]*\n)*+"),
    b"+": re.compile(rb"(?:\+[^\n]*\n)*+"),
}
_NO_LINE_END: Final = re.compile(rb"\\[^\n]*\n")
_MOST_WAITING: Final = 1 << 28
"""Bytes that may wait for the end of a line: more than a file that git takes for text has."""
_NEXT: Final = (b"@@ -", b"diff --git ", b"\x01", b"\x00")


class BrokenPatchError(Exception):
    """The text ends early, or is no patch."""


class PatchStream:
    """The output of `git log -z --raw -p` with what is read next at the front.

    The lines of paths that are `excluded` do not count.
    """

    def __init__(self, log: GitProcess, *, excluded: PathGlobs) -> None:
        self._log, self.excluded = log, excluded
        self._data, self._at = b"", 0
        self.ended = False

    def next_is(self, start: bytes) -> bool:
        """Whether the rest begins so; it does not at the end."""
        self._need(len(start))
        return self._data.startswith(start, self._at)

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return not self._need(1)

    def skip(self, count: int) -> None:
        """Drop some bytes that are known to be there."""
        self._at += count

    def token(self) -> bytes:
        """What comes before the next NUL. Raises BrokenPatchError if there is none."""
        while (end := self._data.find(b"\x00", self._at)) < 0:
            self._grow()
        token = self._data[self._at : end]
        self._at = end + 1
        return token

    def file_header(self, contents: bytes) -> bool | None:
        """Read the lines before a file's hunks: whether the file is binary.

        `contents` are the ids of what it was and is, as git prints them, empty if they are the
        same. Returns None if the next patch is of others, or there is none: so it is with ids
        whose contents are the same, stand-ins for what a clone lacks.
        """
        if not self.next_is(b"diff --git "):
            return None
        match = self._find(_HEADER)
        if (match[1] or b"") != contents:
            return None
        self._at = match.end()
        return match[2] is not None

    def hunk_header(self) -> tuple[int, int, int, int]:
        """Where the lines were and how many, where they are now and how many."""
        old, removed, new, added = self._match(_HUNK).groups()
        return int(old), int(removed or 1), int(new), int(added or 1)

    def side(self, sign: bytes, count: int) -> Iterator[bytes]:
        """The lines of one side of a hunk with their signs, nearly always in one piece."""
        left = count
        while left:
            piece = self._piece(_SIDES[sign], left)
            left -= piece.count(b"\n")
            self._at += len(piece)
            yield piece
        if self.next_is(b"\\"):
            self._match(_NO_LINE_END)

    def _piece(self, lines: re.Pattern[bytes], count: int) -> bytes:
        """So many lines, or those of PIECE bytes, wherever the chunks that were read end."""
        while True:
            match = lines.match(self._data, self._at)
            text = match[0] if match else b""
            if len(text) > PIECE:
                end = text.rfind(b"\n", 0, PIECE) + 1 or text.find(b"\n") + 1
                text = text[:end]
            number = text.count(b"\n")
            if number > count:
                raise BrokenPatchError
            if number == count or (number and match and len(match[0]) > PIECE):
                return text
            self._grow()

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """The match of a pattern of whole lines at the front, which is then dropped."""
        match = self._find(pattern)
        self._at = match.end()
        return match

    def _find(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """The match of a pattern of whole lines at the front."""
        while True:
            match = pattern.match(self._data, self._at)
            if match is not None and self._is_followed(match):
                return match
            self._grow()

    def _is_followed(self, match: re.Match[bytes]) -> bool:
        """Whether the text that was read shows that the match is all there is."""
        if match.re is not _HEADER:
            return True
        end = match.end()
        return self._data.startswith(_NEXT, end) or (end == len(self._data) and not self._read())

    def _need(self, count: int) -> bool:
        while len(self._data) - self._at < count:
            if not self._read():
                return False
        return True

    def _grow(self) -> None:
        if len(self._data) - self._at > _MOST_WAITING or not self._read():
            raise BrokenPatchError

    def _read(self) -> bool:
        """Read on, as much again as is waiting already."""
        chunk = self._log.output.read(max(_CHUNK, len(self._data) - self._at))
        self._data, self._at = self._data[self._at :] + chunk, 0
        self.ended = not chunk
        return not self.ended
