"""Bodies as large as the service reads them, each hostile in its own way."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from pullrisk.features import NAMES
from support.app import signed_headers
from support.serving import opened

BODY: Final = 32_000_000
DELIVERY: Final = 8_000_000
"""Bytes of a webhook's body that are read."""
SCORE, ROWS, WEBHOOK = "/v1/score", "/v1/score/features", "/webhooks/github"


class Body(msgspec.Struct, frozen=True):
    """A body by its name, where it goes, and how it is made: one at a time, for memory's sake."""

    what: str
    path: str
    make: Callable[[], bytes]
    extra: Mapping[str, str] = {}

    def headers(self, content: bytes) -> dict[str, str]:
        """What to send beside it; a webhook's signature is right."""
        named = signed_headers(content, "pull_request") if self.path == WEBHOOK else {}
        return {"content-type": "application/json", **named, **self.extra}


def bodies() -> Iterator[Body]:
    """All of them."""
    pull = json.dumps(opened()).encode()
    for what, item in {
        "ones": b"1", "empty lists": b"[]", "empty objects": b"{}", "nulls": b"null",
        "small texts": b'""', "real pulls": pull, "references": b'{"repository":"o/r","number":1}',
    }.items():  # fmt: skip
        yield Body(what, SCORE, partial(repeated, item))
    for field, item in {
        "labels": b"{}", "assignees": b"{}", "requested_reviewers": b"null",
        "files": b'{"filename":"a"}', "anything": b"[]",
    }.items():  # fmt: skip
        yield Body(f"{field} of a pull", SCORE, partial(list_of, field, item))
    for field in ("title", "body", "anything"):
        for sign in ("x", "é", "\\n", "\\u00e9", "🦔"):
            yield Body(f"{field} of {sign}", SCORE, partial(text_of, field, sign))
    yield from _odd(json.dumps([0.5] * len(NAMES)).encode())
    yield from _elsewhere()


def _odd(row: bytes) -> Iterator[Body]:
    few = BODY // 17  # of escapes, which are counted too
    deep = json.dumps([{"filename": f"{'a/' * 150}{place}.py"} for place in range(3_000)]).encode()
    for what, make in {
        "half characters": lambda: field_of("body", b'"%s"' % (b"\\ud800" * few)),
        "deep paths": lambda: repeated(field_of("files", deep)),
        "one path": lambda: field_of("files", b'[{"filename":"%s"}]' % filled(b"a/")),
        "brackets": lambda: b"[" * BODY,
        "brackets of a pull": lambda: field_of("anything", b"[" * (BODY // 3) + b"]" * (BODY // 3)),
        "objects": lambda: b'{"a":' * (BODY // 5),
        "spaces": lambda: b" " * (BODY - 1) + b"1",
        "a number": lambda: b"1" * BODY,
        "fields": lambda: b"{%s}" % repeated(b'"a":1')[1:-1],
        "zeros": lambda: bytes(BODY),
    }.items():
        yield Body(what, SCORE, make)
    for what, make in {
        "rows": lambda: repeated(row), "1,000 rows": lambda: repeated(row, 1_000),
        "numbers": lambda: repeated(b"1"), "digits": lambda: b"[%s]" % (b"1" * (BODY - 2)),
    }.items():  # fmt: skip
        yield Body(what, ROWS, make)
    yield Body("gzip", SCORE, lambda: gzip.compress(bytes(BODY)), {"content-encoding": "gzip"})


def _elsewhere() -> Iterator[Body]:
    """What webhooks and forms get: less than scoring may have."""
    begin = b'{"installation":{"id":77},"repository":{"id":1,"full_name":"o/r"},"sender":'
    for what, make in {
        "delivery: brackets": lambda: begin + b"[" * (DELIVERY - len(begin)),
        "delivery: ones": lambda: begin + repeated(b"1", DELIVERY // 2 - 100) + b"}",
        "delivery: text": lambda: begin + b'"%s"}' % (b"x" * (DELIVERY - 200)),
        "delivery: objects": lambda: begin + repeated(b"{}", DELIVERY // 3 - 100) + b"}",
        "delivery: 32 MB": lambda: bytes(BODY),
    }.items():
        yield Body(what, WEBHOOK, make)
    form = {"content-type": "application/x-www-form-urlencoded"}
    yield Body("form", "/sign-in/key", lambda: b"a=b&" * (BODY // 4), form)
    yield Body("form of /setup", "/setup", lambda: b"a=b&" * (BODY // 4), form)


def filled(sign: bytes) -> bytes:
    """A text of the sign again and again, almost as long as a body."""
    return sign * ((BODY - 100_000) // len(sign))


def list_of(field: str, item: bytes) -> bytes:
    """A pull request with a long list."""
    return field_of(field, repeated(item))


def text_of(field: str, sign: str) -> bytes:
    """A pull request with a long text."""
    return field_of(field, b'"%s"' % filled(sign.encode()))


def repeated(item: bytes, most: int = BODY) -> bytes:
    """A list of the item, as long as a body may be."""
    return b"[%s]" % b",".join([item] * min(most, (BODY - 2) // (len(item) + 1)))


def field_of(name: str, value: bytes) -> bytes:
    """A pull request with such a field, and no more than a body may have."""
    pull = json.dumps(opened() | {name: None}).encode()
    room = BODY - len(pull)
    if len(value) > room:  # shorten the list by whole items
        value = value[: value.rindex(b",", 0, room)] + b"]"
    return pull.replace(f'"{name}": null'.encode(), f'"{name}": '.encode() + value)
