"""The form in which a history is saved: MessagePack behind a mark and a checksum.

Apart from history.py because mypyc, which compiles that, would lose what msgspec makes of a
class's keywords.
"""

from datetime import datetime
from typing import Final
from zlib import crc32

import msgspec

from pullrisk.features import author, reviewers, text, touched
from pullrisk.features.repository import RepositoryState
from pullrisk.pulls.outcomes import Link, LinkerState

_MAGIC: Final = b"PRH2"
_EARLIER: Final = b"PRH1"
_START: Final = len(_MAGIC) + 4


class Saved(msgspec.Struct, array_like=True):
    """All that a history remembers, part by part."""

    schema: str
    repository: str
    as_of: datetime | None
    pulls: int
    overall: RepositoryState
    authors: author.Saved
    touched: touched.Saved
    words: text.Saved
    log: list[bytes]
    pushes: list[bytes]
    titles: list[str]
    failures: list[bytes]
    reviewers: reviewers.Saved
    linker: LinkerState
    of_pushes: list[Link]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Saved)


def pack(saved: Saved) -> bytes:
    """The history as bytes."""
    content = _encoder.encode(saved)
    return _MAGIC + crc32(content).to_bytes(4, "little") + content


def unpack(data: bytes) -> Saved:
    """What `pack` wrote; ValueError if it is corrupt or something else."""
    if data.startswith(_EARLIER):
        raise ValueError("the history was saved by an earlier pullrisk, which remembered less")
    if not data.startswith(_MAGIC) or len(data) <= _START:
        raise ValueError("not a saved history")
    content = memoryview(data)[_START:]
    if crc32(content) != int.from_bytes(data[len(_MAGIC) : _START], "little"):
        raise ValueError("the saved history is corrupt")
    return _decoder.decode(content)
