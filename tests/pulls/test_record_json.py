"""A record goes into a line of JSON and comes back whole; what is wrong in one is told."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from pullrisk.pulls.formats import parse_pull, rest_object
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.people import BotNames
from pullrisk.pulls.record import MAX_FILES, MAX_TITLE, ChangedFile, Pull, Review, push_number
from pullrisk.pulls.record_json import VERSION, decode_line, encode_line, is_record
from pullrisk.pulls.rest import parse_rest
from support.sample import sample_pulls

AT = datetime(2024, 5, 6, 7, 8, 9, 1_000, UTC)
WHOLE = Pull(
    repository="o/r",
    number=7,
    created_at=AT,
    updated_at=AT,
    merged_at=AT,
    closed_at=AT,
    title='Fix "it" \N{SNOWMAN}',
    body="Reverts o/r#5",
    author="Mara",
    author_names=("email:0123456789ab",),
    agent="claude",
    labels=("bug",),
    reviews=(Review("ben", "approved", AT), Review(None, "commented")),
    own_commits=("01234567",),
    unknown=("opening",),
    files=(ChangedFile("a.py", "renamed", 3, 1, "b.py", 2, 1), ChangedFile("c.bin")),
    lines=ChangedLines(
        rewrites=(Origin(5, 2, 0), Origin(-99, 1)),
        neighbours=(),
        code_added=2,
        tokens_added=(1, 0, 2),
    ),
)
PUSH = msgspec.structs.replace(WHOLE, number=push_number("0123456789abcdef"))
PLAIN = Pull(repository="o/r", number=1, created_at=AT, updated_at=AT)


@pytest.mark.parametrize("pull", [WHOLE, PUSH, PLAIN], ids=["whole", "push", "plain"])
def test_a_record_comes_back_whole(pull: Pull) -> None:
    line = encode_line(pull)
    assert b"\n" not in line
    assert parse_pull(line) == decode_line(line) == pull


def test_each_field_of_the_record_is_carried() -> None:
    names = set(Pull.__struct_fields__)
    written = json.loads(encode_line(WHOLE)).keys()
    assert written - names == {"pullrisk_record"}
    others = {"author_association", "head_ref", "head_sha", "head_repository", "base_ref"}
    texts = msgspec.structs.replace(WHOLE, **dict.fromkeys(others, "x"))
    assert others <= json.loads(encode_line(texts)).keys()
    assert decode_line(encode_line(texts)) == texts


def test_the_sample_comes_back_byte_for_byte() -> None:
    pulls = sample_pulls(200)
    assert [decode_line(encode_line(pull)) for pull in pulls] == pulls
    assert all(pull.lines is not None for pull in pulls)


def test_indented_and_sorted_by_a_program_it_is_the_same_record() -> None:
    text = json.dumps(json.loads(encode_line(WHOLE)), indent=2, sort_keys=True)
    assert parse_pull(text.encode()) == WHOLE


def test_times_of_another_zone_become_utc() -> None:
    fields = json.loads(encode_line(PLAIN))
    zoned = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    pull = parse_pull(json.dumps({**fields, "updated_at": zoned.isoformat()}).encode())
    assert (pull, pull.updated_at.tzinfo) == (PLAIN, UTC)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pullrisk_record": VERSION + 1}, rf"version {VERSION + 1}, this pullrisk knows {VERSION}"),
    ({"pullrisk_record": "1"}, r"\$\.pullrisk_record"),
    ({"colour": "red"}, "unknown field `colour`"),
    ({"number": 0}, "0 is no number"),
    ({"number": 2**53}, r"\$\.number"),
    ({"number": -5}, "-5 is no number of a pull request or of a merged push"),
    ({"repository": "../etc"}, "owner/name"),
    ({"repository": None}, r"\$\.repository"),
    ({"updated_at": "2024-05-06T07:08:09"}, r"\$\.updated_at"),
    ({"title": "x" * (MAX_TITLE + 1)}, r"\$\.title"),
    ({"additions": -1}, r"\$\.additions"),
    ({"files": [["a.py", "modified", -1]]}, r"\$\.files\[0\]"),
    ({"files": [["a"]] * (MAX_FILES + 1)}, r"\$\.files"),
    ({"lines": [[[5, -2]]]}, r"\$\.lines"),
    ({"lines": [[[5, 2, -2]]]}, r"\$\.lines"),
    ({"lines": [None, None, *[0] * 9, [1] * 99]}, r"\$\.lines"),
    ({"reviews": [["ben", "approved", "yesterday"]]}, r"\$\.reviews"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told for _, told in WRONG])
def test_what_is_wrong_is_told(change: dict[str, Any], told: str) -> None:
    line = json.dumps({**json.loads(encode_line(PLAIN)), **change}).encode()
    with pytest.raises(ValueError, match=told):
        parse_pull(line)


def test_a_line_that_is_cut_short_is_an_error_wherever_the_cut_is() -> None:
    line = encode_line(WHOLE)
    for cut in range(20, len(line), 37):
        with pytest.raises(ValueError, match=re.compile("truncated|malformed|required|JSON", re.I)):
            parse_pull(line[:cut])


@pytest.mark.parametrize(
    "data",
    [
        b'{"number":1,"title":"\\"pullrisk_record\\""}',
        b'{"number":1,"head":{"pullrisk_record":1}}',
        b'["pullrisk_record"]',
        b"",
    ],
)
def test_only_an_object_that_says_so_is_a_record(data: bytes) -> None:
    assert not is_record(data)


@pytest.mark.parametrize(
    ("names", "bot"),
    [(BotNames.of(["mara"], []), True), (BotNames.of([], ["MARA"]), False)],
)
def test_the_settings_say_who_is_a_bot(names: BotNames, bot: bool) -> None:
    line = encode_line(msgspec.structs.replace(WHOLE, bot=not bot))
    assert parse_pull(line, names=names).bot is bot


def test_a_record_as_rest_object_is_read_as_the_same_pull_without_what_github_lacks() -> None:
    line = encode_line(WHOLE)
    read = parse_rest(json.dumps(rest_object(line)))
    lacking = {"author_names": (), "own_commits": (), "lines": None, "reviews": None}
    files = tuple(
        msgspec.structs.replace(file, code_added=None, code_removed=None)
        for file in WHOLE.files or ()
    )
    same = msgspec.structs.replace(WHOLE, **lacking, agent=None, unknown=(), files=files)
    assert msgspec.structs.replace(read, changed_files=None) == same
    assert rest_object(encode_line(PUSH)) is None
