"""Find the objects in a file of JSON: one a line, arrays, pretty-printed, one after another.

Arrays at the top are only brackets around their objects, also arrays of arrays: what
`gh api --paginate`, with or without `--slurp`, and `jq` write is all the same here.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO, Final, TypeAlias

from pullrisk.errors import InputError
from pullrisk.fetch.content import BrokenError, read_content

MAX_OBJECT: Final = 16 * 2**20
"""The largest object in bytes; GitHub's largest (3,000 files) has about 1 MB."""
_DISCARD: Final = 2**20  # bytes behind which what was given out is let go
_AHEAD: Final = 64  # bytes that tell whether a new record begins
_BETWEEN: Final = re.compile(rb"[\s,\[\x1e]+")
_LINE_BEGINS: Final = (b"{", b"\r", b"")
_LINE: Final = re.compile(rb"[^\n]*")
_VALUE: Final = re.compile(rb"[^,\]\n]*")
_IN_STRING: Final = re.compile(rb'(?:[^"\\\n]++|\\.)*+')
_INSIDE: Final = re.compile(rb'(?:[^"{}\n]++|\n(?=[^{])|"(?:[^"\\\n]++|\\.)*+")*+')
_NEXT_RECORD: Final = re.compile(rb"\n\{[ \t\r]*[^ \t\r\n}]")


JsonObject: TypeAlias = tuple[int, bytes]
"""The line that an object begins in, from 1, and its JSON; or what stands in the place of one,
which no parser will take.
"""


def read_objects(file: BinaryIO, name: str) -> Iterator[JsonObject]:
    """The objects of a file, which may be gzipped, in UTF-8 or UTF-16.

    Raises InputError, after all objects before the fault, if the file is binary, the gzip is
    damaged, cut short or a bomb, an object is larger than MAX_OBJECT, an array is not closed,
    or reading fails.
    """
    scanner = _Scanner(read_content(file))
    try:
        yield from scanner.objects()
    except BrokenError as error:
        raise InputError(f"{name}: {error}{scanner.place}", hint=error.hint) from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read{scanner.place}: {error.strerror}") from error


class _Scanner:
    """Walks over the content; `_data` from `_at` on is what was read and not yet given out."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._data, self._at = bytearray(), 0
        self._line, self._depth = 1, 0

    @property
    def place(self) -> str:
        """Behind which line the scanner is, for messages."""
        return f", after line {self._line - 1}" if self._line > 1 else ""

    def objects(self) -> Iterator[JsonObject]:
        """Whatever stands in the content; raises BrokenError."""
        while self._skip_between():
            begin = self._at
            if not self._depth:
                yield from self._plain_lines()
            if self._at > begin:
                continue
            end = self._end()
            data = bytes(memoryview(self._data)[self._at : end])
            yield self._line, data
            self._line += data.count(b"\n")
            self._at = end
        if self._depth:
            raise BrokenError("the file is cut short: an array is not closed")

    def _skip_between(self) -> bool:
        """Go on to where something stands; returns False at the end."""
        if self._at > _DISCARD:
            del self._data[: self._at]
            self._at = 0
        while self._has(self._at):
            if self._depth and self._data.startswith(b"]", self._at):
                self._depth -= 1
                self._at += 1
            elif between := _BETWEEN.match(self._data, self._at):
                self._line += between[0].count(b"\n")
                self._depth += between[0].count(b"[")
                self._at = between.end()
            else:
                return True
        return False

    def _has(self, position: int, length: int = 1) -> bool:
        """Read on until there are so many bytes from `position`; False if the content ends."""
        while len(self._data) < position + length:
            if position - self._at > MAX_OBJECT:
                raise BrokenError(
                    f"the next object is longer than {MAX_OBJECT:,} bytes",
                    "expected pull requests as JSON, one a line or in an array",
                )
            chunk = next(self._content, None)
            if chunk is None:
                return False
            self._data += chunk
        return True

    def _plain_lines(self) -> Iterator[JsonObject]:
        """The lines read so far that plainly are one object each, as most are in most files.

        It stops before the first that needs a closer look.
        """
        read = bytes(memoryview(self._data)[self._at :])
        for line, following in pairwise(read.split(b"\n")):
            if (
                line[:1] != b"{"
                or following[:1] not in _LINE_BEGINS
                or (line[-1:] != b"}" and line[-2:] != b"}\r")
                or b"}{" in line
            ):
                return
            yield self._line, line
            self._line += 1
            self._at += len(line) + 1

    def _end(self) -> int:
        """Where that ends which begins here."""
        if self._data.startswith(b"{", self._at):
            return self._end_of_object()
        return self._match(_VALUE if self._depth else _LINE, self._at)

    def _end_of_object(self) -> int:
        """Behind the brace that closes it, or where the next record plainly begins."""
        position, depth = self._at, 0
        while True:
            position = self._match(_INSIDE, position)
            mark = bytes(self._data[position : position + 1])
            if mark in (b"{", b"}"):
                depth += 1 if mark == b"{" else -1
                position += 1
                if not depth:
                    return position
            elif mark == b'"':
                position = self._end_of_string(position + 1)
                if not self._data.startswith(b'"', position):
                    return position
                position += 1
            elif not mark or (not self._depth and self._record_follows(position)):
                return position
            else:
                position += 1

    def _end_of_string(self, position: int) -> int:
        """At the quote that ends it; at the end of the line or the content if none does."""
        while True:
            position = self._match(_IN_STRING, position)
            more = self._has(position, 2)
            mark = bytes(self._data[position : position + 2])
            if mark[:1] in b'"\n' or (mark[:1] == b"\\" and (not more or mark[1:] == b"\n")):
                return position

    def _record_follows(self, newline: int) -> bool:
        """Whether a new object begins on the next line, as in a file of one a line.

        Then the one that is open was cut short. Pretty-printed ones indent their inner objects,
        or leave "{" alone on its line.
        """
        self._has(newline, _AHEAD)
        return _NEXT_RECORD.match(self._data, newline) is not None

    def _match(self, pattern: re.Pattern[bytes], position: int) -> int:
        """Behind the pattern, which matches anything; the content may go on there."""
        while True:
            match = pattern.match(self._data, position)
            position = match.end() if match else position
            if position < len(self._data) or not self._has(position):
                return position
