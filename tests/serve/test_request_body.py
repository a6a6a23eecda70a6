"""Bodies that hold more than anybody needs are refused before they cost memory or time."""

import json
from itertools import product

import pytest

from pullrisk.features import NAMES
from pullrisk.pulls.record import Pull
from pullrisk.serve.problems import ProblemError
from pullrisk.serve.request_body import parse_pulls, parse_rows

MOST = 1_000
HEAD = b'{"number":1,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z",'
BASE = b'"base":{"repo":{"full_name":"o/r"}}'
OBJECT = HEAD + BASE + b",%s}"
MANY = 700_000
LONG = "x" * 3_000_000


def repeated(item: bytes, count: int = MANY) -> bytes:
    return b"[%s]" % b",".join([item] * count)


def one_with(field: str, value: object) -> bytes:
    return OBJECT % f'"{field}":{json.dumps(value)}'.encode()


HOSTILE = {
    "a list of numbers": repeated(b"1"),
    "a list of lists": repeated(b"[]"),
    "a list of objects": repeated(b"{}"),
    "nested lists": b"[" * 5_000_000,
    "nested objects": b'{"a":' * 1_000_000,
    "labels": OBJECT % b'"labels":%s' % repeated(b"{}"),
    "labels that are null": OBJECT % b'"labels":%s' % repeated(b"null", 200_000),
    "assignees": OBJECT % b'"assignees":%s' % repeated(b"{}", 2_000),
    "reviewers": OBJECT % b'"requested_reviewers":%s' % repeated(b"{}", 2_000),
    "files": OBJECT % b'"files":%s' % repeated(b'{"filename":"a"}', 200_000),
    "a field that is not read": OBJECT % b'"x":%s' % repeated(b"{}"),
    "fields": b"{%s}" % b",".join([b'"a":1'] * MANY),
    "escapes": OBJECT % b'"body":"%s"' % (b"\\n" * 3_000_000),
    "paths": one_with("files", [{"filename": "a/" * 2_000}] * 400),
    "a path": one_with("files", [{"filename": LONG}]),
    "a path from before": one_with("files", [{"filename": "a", "previous_filename": LONG}]),
    "a status": one_with("files", [{"filename": "a", "status": LONG}]),
    "a title": one_with("title", LONG),
    "a body": one_with("body", LONG),
    "a login": one_with("user", {"login": LONG}),
    "a label": one_with("labels", [{"name": LONG}]),
    "an assignee": one_with("assignees", [{"login": LONG}]),
    "a branch": one_with("head", {"ref": LONG}),
    "a sha": one_with("head", {"sha": LONG}),
    "a fork": one_with("head", {"repo": {"full_name": LONG}}),
    "an association": one_with("author_association", LONG),
    "a number": HEAD.replace(b":1,", b":" + b"9" * 3_000_000 + b",") + BASE + b"}",
    "a fraction": HEAD.replace(b":1,", b":1." + b"0" * 3_000_000 + b",") + BASE + b"}",
    "spaces": b" " * 3_000_000 + b"1",
    "nothing but spaces": b"\n" * 3_000_000,
    "a reference": json.dumps({"repository": LONG, "number": 1}).encode(),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("listed", [False, True])
def test_too_much_of_anything_is_refused(what: str, listed: bool) -> None:
    body = b"[%s]" % HOSTILE[what] if listed else HOSTILE[what]
    with pytest.raises(ProblemError) as refused:
        parse_pulls(body, most=MOST)
    assert refused.value.status in (400, 422)
    assert len(refused.value.detail) < 1_000


ROW = b"[%s]" % b",".join([b"1"] * len(NAMES))
HOSTILE_ROWS = {
    "numbers": repeated(b"1"),
    "empty rows": repeated(b"[]"),
    "rows": repeated(ROW, MOST + 1),
    "long numbers": ROW.replace(b"1", b"1" * 500_000, 1),
    "digits": b"[" + b"1" * 20_000_000 + b"]",
    "nested": b"[" * 3_000_000,
    "one number too many": ROW[:-1] + b",1]",
    "an endless number": ROW.replace(b"1", b"1e999", 1),
    "a number beyond single precision": ROW.replace(b"1", b"-1e300", 1),
    "a number beyond what is documented": ROW.replace(b"1", b"3.402823466e+38", 1),
    "a text": ROW.replace(b"1", b'"1"', 1),
}


@pytest.mark.parametrize("what", HOSTILE_ROWS)
def test_rows_that_are_too_many_or_too_long_are_refused(what: str) -> None:
    with pytest.raises(ProblemError) as refused:
        parse_rows(HOSTILE_ROWS[what], most=MOST, width=len(NAMES))
    assert refused.value.status in (400, 422)
    assert len(refused.value.detail) < 1_000


@pytest.mark.parametrize(("space", "count"), [*product((b"", b" \n\t\r"), (1, MOST))])
def test_as_many_rows_as_allowed_are_read(space: bytes, count: int) -> None:
    rows = space + b"[%s]" % (b"," + space).join([space + ROW] * count)
    assert parse_rows(rows, most=MOST, width=len(NAMES)).shape == (count, len(NAMES))


@pytest.mark.parametrize("count", [1, 300])
def test_half_a_character_is_no_reason_to_refuse_a_list(count: int) -> None:
    pull = OBJECT % (b'"title":"\\ud83d cut","patch":"%s"' % (b"x" * 1_000))
    pulls = parse_pulls(b"[%s]" % b",".join([pull] * count), most=MOST)
    assert [pull.title for pull in pulls if isinstance(pull, Pull)] == ["\ufffd cut"] * count


@pytest.mark.parametrize("other", [-3.05e242, 1e19, 2.0**63, 0.5, [1e300]])
def test_a_fraction_that_is_whole_is_a_count_whatever_stands_beside_it(other: object) -> None:
    body = one_with("x", other)[:-1] + b',"deletions":3.0}'
    (pull,) = parse_pulls(body, most=MOST)
    assert isinstance(pull, Pull)
    assert pull.deletions == 3


def test_a_large_body_of_usual_pulls_is_read() -> None:
    pull = one_with("files", [{"filename": f"src/module_{place}.py"} for place in range(40)])
    padded = pull[:-1] + b',"patch":"%s"}' % (b"x, " * 500)
    pulls = parse_pulls(b" [%s]" % b",".join([padded] * 250), most=MOST)
    assert len(pulls) == 250
    with pytest.raises(ProblemError, match=r"pull request 250"):
        parse_pulls(b"[%s]" % b",".join([padded] * 250 + [b'{"number": 0}']), most=MOST)
