"""The content of a file as UTF-8, whatever it is packed in: gzip, UTF-16 or UTF-32."""

import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from json import detect_encoding
from typing import BinaryIO, Final

MOST_EXPANSION: Final = 200
"""How many times its own size a gzip may hold; JSON of pull requests is about 10 to 30 times."""
_FREE: Final = 64 * 2**20  # bytes that a gzip may hold in any case
_CHUNK: Final = 2**16
_GZIP: Final = b"\x1f\x8b"
_GZIP_OR_ZLIB: Final = 31  # wbits: a gzip header and trailer are expected and checked
_TEXT: Final = frozenset(b"\t\n\r\x1e")  # 1e begins each record of application/json-seq
_FETCH_AGAIN: Final = "the lines before it are stored; get the file again and repeat the command"


class BrokenError(Exception):
    """The content cannot be read further; `hint` says what to do."""

    def __init__(self, message: str, hint: str = _FETCH_AGAIN) -> None:
        super().__init__(message)
        self.hint = hint


def read_content(file: BinaryIO) -> Iterator[bytes]:
    """The decompressed text in chunks of UTF-8, without a byte order mark.

    Raises BrokenError, after all that stands before the fault, and OSError.
    """
    chunks = iter(lambda: file.read(_CHUNK), b"")
    first = next(chunks, b"")
    if first.startswith(_GZIP):
        chunks = _gunzip(first, chunks)
        first = next(chunks, b"")
    while len(first) < 4 and (more := next(chunks, b"")):  # as many as tell the encoding
        first += more
    text = _decoded(first, chunks)
    first = next(text, b"")
    if any(byte < 32 and byte not in _TEXT for byte in first[:4096]):
        raise BrokenError("this is a binary file", "expected JSON, plain or gzipped")
    yield first
    yield from text


def _decoded(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes themselves where they are UTF-8, else what they encode."""
    encoding = detect_encoding(first)
    if encoding in ("utf-8", "utf-8-sig"):
        yield first.removeprefix(b"\xef\xbb\xbf")
        yield from chunks
        return
    # Half a surrogate pair and a last byte that is cut off become U+FFFD.
    decoder = getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first).encode()
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _gunzip(chunk: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress one gzip member after another, in bounded pieces; trailing zeros are padding."""
    member = zlib.decompressobj(_GZIP_OR_ZLIB)
    compressed, decompressed = len(chunk), 0
    while chunk or (chunk := next(chunks, b"")):
        if member.eof:
            chunk = chunk.lstrip(b"\x00")
            if not chunk:
                continue
            member = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            data = member.decompress(chunk, _CHUNK)
        except zlib.error as error:
            raise BrokenError(f"the gzip is damaged ({error})") from error
        decompressed += len(data)
        if decompressed > _FREE and decompressed > MOST_EXPANSION * compressed:
            raise BrokenError(
                f"the gzip holds more than {MOST_EXPANSION} times its own size",
                "no list of pull requests does; if this one is right, unpack it first",
            )
        if data:
            yield data
        chunk = member.unconsumed_tail or member.unused_data
        if not chunk:
            chunk = next(chunks, b"")
            compressed += len(chunk)
    while not member.eof and (data := member.decompress(b"", _CHUNK)):
        yield data
    if not member.eof:
        raise BrokenError("the gzip is cut short")
