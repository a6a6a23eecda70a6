"""Read the lines of a plain or gzipped file, also all those before a fault in it."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from pullrisk.errors import InputError

MAX_LINE: Final = 64 * 2**20
"""The longest line in bytes; GitHub's largest object (3,000 files) has about 1 MB."""
_CHUNK: Final = 2**16
_GZIP: Final = b"\x1f\x8b"
_GZIP_OR_ZLIB: Final = 31  # wbits: a gzip header and trailer are expected and checked
_BOM: Final = b"\xef\xbb\xbf"
_FETCH_AGAIN: Final = "the lines before it are stored; get the file again and repeat the command"


def read_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines without their ends; gzip is recognised by its first bytes, not by the name.

    Raises InputError, after all lines before the fault, if the file is binary, the gzip is
    damaged or cut short, a line is longer than MAX_LINE, or reading fails.
    """
    count = 0
    try:
        for line in _split(_content(file)):
            count += 1
            yield line
    except _BrokenError as error:
        raise InputError(f"{name}: {error}, after line {count}", hint=error.hint) from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read after line {count}: {error.strerror}") from error


class _BrokenError(Exception):
    def __init__(self, message: str, hint: str = _FETCH_AGAIN) -> None:
        super().__init__(message)
        self.hint = hint


def _content(file: BinaryIO) -> Iterator[bytes]:
    """The file's decompressed content in chunks, without a byte order mark."""
    chunks = iter(lambda: file.read(_CHUNK), b"")
    first = next(chunks, b"")
    if first.startswith(_GZIP):
        inner = _gunzip(first, chunks)
        first = next(inner, b"")
    else:
        inner = chunks
    if b"\x00" in first[:4096]:
        raise _BrokenError("this is a binary file", "expected JSON lines, plain or gzipped (UTF-8)")
    yield first.removeprefix(_BOM)
    yield from inner


def _gunzip(chunk: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress one gzip member after another; trailing zeros are padding."""
    member = zlib.decompressobj(_GZIP_OR_ZLIB)
    while chunk or (chunk := next(chunks, b"")):
        if member.eof:
            chunk = chunk.lstrip(b"\x00")
            if not chunk:
                continue
            member = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            data = member.decompress(chunk)
        except zlib.error as error:
            raise _BrokenError(f"the gzip is damaged ({error})") from error
        if data:
            yield data
        chunk = member.unused_data
    if not member.eof:
        raise _BrokenError("the gzip is cut short")


def _split(content: Iterator[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    size = 0
    for data in content:
        head, *lines = data.split(b"\n")
        pieces.append(head)
        size += len(head)
        if size > MAX_LINE:
            raise _BrokenError(
                f"the next line is longer than {MAX_LINE:,} bytes",
                "expected one pull request a line, as JSON",
            )
        if lines:
            yield b"".join(pieces)
            yield from lines[:-1]
            pieces = [lines[-1]]
            size = len(lines[-1])
    if size:
        yield b"".join(pieces)
