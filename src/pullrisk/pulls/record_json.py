"""The record as a line of JSON, in which pulls and pushes go from one store to another by file.

    {"pullrisk_record":1,"repository":"o/r","number":7,"created_at":"2026-01-05T09:00:00Z",…}

The fields have the record's names; one that has its default is left out. `files`, `reviews` and
`lines` are lists in the order of the record's parts (`ChangedFile`, `Review`, `ChangedLines`).
Nothing is lost on the way: a field that this version does not know is an error.
"""

from datetime import datetime
from re import compile as pattern
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import FieldInfo, fields, replace

from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.lines import Count
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import (
    MAX_BODY,
    MAX_FILES,
    MAX_TITLE,
    ChangedFile,
    Moment,
    Pull,
    Review,
    repository_name,
    utc,
)

VERSION: Final = 1
"""Raised when a field changes its meaning; new fields alone are told by their names."""

_MARK: Final = b'"pullrisk_record"'
_BEGINS: Final = pattern(rb'\s*\{\s*"pullrisk_record"\s*:')
_TYPES: Final[dict[str, Any]] = {
    "number": Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)],
    "created_at": Moment,
    "updated_at": Moment,
    "merged_at": Moment | None,
    "closed_at": Moment | None,
    "title": Annotated[str, msgspec.Meta(max_length=MAX_TITLE)],
    "body": Annotated[str, msgspec.Meta(max_length=MAX_BODY)],
    "commits": Count | None,
    "additions": Count | None,
    "deletions": Count | None,
    "changed_files": Count | None,
    "repository_id": Count | None,
    "files": Annotated[tuple[ChangedFile, ...], msgspec.Meta(max_length=MAX_FILES)] | None,
}
"""Types of fields that are narrower here than in the record, as anybody can write a file."""


def _named(field: FieldInfo) -> tuple[str, Any, Any]:
    options = {"default": field.default, "default_factory": field.default_factory}
    return field.name, _TYPES.get(field.name, field.type), msgspec.field(**options)


_Line: Final = msgspec.defstruct(
    "_Line",
    [("pullrisk_record", Literal[1]), *map(_named, fields(Pull))],
    kw_only=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
)


class _Version(msgspec.Struct, gc=False):
    pullrisk_record: int | msgspec.UnsetType = msgspec.UNSET


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Line)
_version: Final = msgspec.json.Decoder(_Version)
_FIELDS: Final = Pull.__struct_fields__


def encode_line(pull: Pull) -> bytes:
    """The record as one line of JSON, without its newline."""
    values = {name: getattr(pull, name) for name in _FIELDS}
    return _encoder.encode(_Line(pullrisk_record=VERSION, **values))


def is_record(data: bytes | str) -> bool:
    """Whether the JSON of an object says that it is a record, of whatever version."""
    data = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    if _MARK not in data:
        return False  # true of everything that GitHub sends, and cheap
    try:
        return lone_surrogates.decode(_version, data).pullrisk_record is not msgspec.UNSET
    except (ValueError, RecursionError):
        return _BEGINS.match(data) is not None  # cut short, or its version is no number


def decode_line(data: bytes | str, names: BotNames = NO_NAMES) -> Pull:
    """The record that `encode_line` wrote.

    `names` are the accounts that the settings call bots or persons. Raises ValueError, which names
    the field that is wrong.
    """
    version = lone_surrogates.decode(_version, data).pullrisk_record
    if version != VERSION:
        raise ValueError(f"it is a record of version {version}, this pullrisk knows {VERSION}")
    line = lone_surrogates.decode(_decoder, data)
    values: dict[str, Any] = {name: _in_utc(getattr(line, name)) for name in _FIELDS}
    pull = Pull(**values)
    if pull.number == 0 or (pull.is_push and pull.merged_at is None):
        raise ValueError(f"{pull.number} is no number of a pull request or of a merged push")
    repository_name(pull.repository)
    if pull.reviews:
        pull = replace(pull, reviews=tuple(map(_review_in_utc, pull.reviews)))
    bot = _is_bot(pull, names)
    return pull if bot == pull.bot else replace(pull, bot=bot)


def _in_utc(value: object) -> object:
    return utc(value) if isinstance(value, datetime) else value


def _review_in_utc(review: Review) -> Review:
    moment = review.submitted_at
    return review if moment is None else replace(review, submitted_at=utc(moment))


def _is_bot(pull: Pull, names: BotNames) -> bool:
    """What the settings say of the author, who is known by login only; else what the file says."""
    login = (pull.author or "").lower()
    return login not in names.people and (pull.bot or login in names.bots)
