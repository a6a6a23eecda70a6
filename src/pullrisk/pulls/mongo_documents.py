"""A pull request as a MongoDB document, and back.

The document has the fields of the record under their own names, so that people can query it.
Beside them it has keys that are computed from the fields, for indexes and guards only:

    _id          "owner/name#number"; the number of a direct push is negative
    schema       version of the document's shape
    state        `open`, `closed`, `merged` or `push`
    updated_us   `updated_at` in microseconds: a date of MongoDB has only milliseconds
    event_us     the merge or the closing in microseconds; null while open
    file_count   how many files are listed
    fingerprint  `record.fingerprint`
    digest       63 bits over the whole record: tells a rewrite from the same content

A time is a date. If it has a part below the millisecond (GitHub's never have), it is an ISO 8601
string, since MongoDB would cut that part.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import takewhile
from typing import Any, Final, TypeAlias

import msgspec
from bson import Int64
from bson.codec_options import CodecOptions

from pullrisk.pulls import record
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull, Review
from pullrisk.pulls.store import microseconds

Document: TypeAlias = dict[str, Any]

SCHEMA: Final = 1
"""Version of the documents and their indexes; a store with a later one is refused."""
CODEC: Final[CodecOptions[Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)

_FIELDS: Final = Pull.__struct_fields__
_PARTS: Final[dict[str, type[msgspec.Struct]]] = {
    "files": ChangedFile,
    "reviews": Review,
    "lines": ChangedLines,
    "rewrites": Origin,
    "neighbours": Origin,
}
"""Fields that are a document, or a list of documents, within the document."""


def key(repository: str, number: int) -> str:
    """The `_id` of a pull."""
    return f"{repository}#{number}"


def to_document(pull: Pull) -> Document:
    """The record as a document, with its computed keys."""
    document: Document = {
        "_id": key(pull.repository, pull.number),
        "schema": SCHEMA,
        "state": pull.state,
        "updated_us": Int64(microseconds(pull.updated_at)),
        "event_us": None if pull.event_at is None else Int64(microseconds(pull.event_at)),
        "file_count": len(pull.files or ()),
        "fingerprint": Int64(record.fingerprint(pull)),
        "digest": Int64(_digest(pull)),
    }
    for name in _FIELDS:
        document[name] = _stored(getattr(pull, name))
    return document


def to_pull(document: Mapping[str, Any]) -> Pull:
    """The record of a document with this schema or an earlier one.

    New fields are only appended to the record, so those that an earlier version did not know
    are the last ones; they get their defaults. Raises ValueError if the document is damaged or
    has a later schema.
    """
    schema = document.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(f"its schema is {schema}, this pullrisk knows {SCHEMA}")
    names = takewhile(document.__contains__, _FIELDS)
    values = [_positional(name, document[name]) for name in names]
    return msgspec.convert(values, Pull)


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        exact = value.microsecond % 1000 == 0
        return value if exact else value.isoformat(timespec="microseconds")
    if isinstance(value, tuple):
        return [_stored(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _stored(getattr(value, name)) for name in value.__struct_fields__}
    return value


def _positional(name: str, value: object) -> object:
    part = _PARTS.get(name)
    if part is None:
        return value
    if isinstance(value, list):
        return [_positional(name, item) for item in value]
    if isinstance(value, Mapping):
        return [_positional(n, value[n]) for n in part.__struct_fields__ if n in value]
    return value


def _digest(pull: Pull) -> int:
    return int.from_bytes(blake2b(record.encode(pull), digest_size=8).digest(), "big") >> 1
