"""Requests with hostile values in every place where the service's pages and webhooks read one."""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote_from_bytes, urlencode

from hypothesis import strategies as st

PAGES: Final = (
    "/", "/live/pulls", "/repositories", "/models", "/operations", "/pulls/{}/{}/{}",
    "/repositories/{}/{}", "/static/{}", "/sign-in", "/sign-in/style.css", "/sign-in/github",
    "/sign-in/oidc", "/sign-in/github/callback", "/sign-in/oidc/callback", "/sign-in/{}",
    "/account", "/setup", "/setup/callback", "/v1/pulls", "/v1/pulls/{}/{}/{}",
    "/v1/repositories", "/v1/model", "/{}", "/readyz", "/metrics", "/openapi.json",
)  # fmt: skip
FORMS: Final = ("/sign-in/key", "/sign-out", "/setup", "/sign-in/{}", "/v1/admin/reload", "/")
NAMES: Final = (
    "shown", "repository", "band", "author", "label", "path", "text", "sort", "page", "seen",
    "back", "state", "code", "error", "explain", "brief", "limit", "offset",
)  # fmt: skip
FIELDS: Final = ("csrf", "key", "back", "organization", "address", "vault_token", "x")
WORDS: Final = (
    "kedro-org", "kedro", "kedro-org/kedro", "7", "1", "all", "open", "risk", "size", "high", "bug",
    "src/", "true", "0", "-1", "9" * 30, "1e9", "1_0", "\u0667", "nan", "..", "../..", ".", "%",
    "%00", "\0", "a\0b", "\r\nx: y", "'", '"', "' or 1=1 --", "{{7*7}}", "${x}", "<script>", "\\",
    "//evil.example", "https://evil.example", "https://[", "http://a:b", "\u202e", "\ufffe",
    "\U0001f994", "a" * 5_000, "(" * 200, "*" * 200, "[", "%ED%A0%80", "+", "&", ";", "=",
)  # fmt: skip
METHODS: Final = ("GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE")
EVENTS: Final = (
    "pull_request", "issue_comment", "installation", "installation_repositories", "repository",
    "merge_group", "installation_target", "ping", "push",
)  # fmt: skip
ACTIONS: Final = (
    "opened", "synchronize", "closed", "created", "renamed", "transferred", "deleted",
    "checks_requested", "labeled",
)  # fmt: skip
_DEEP: Final = 20_000

values: Final = st.one_of(
    st.sampled_from(WORDS).map(lambda word: word.encode()),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=20),
)
_numbers = st.one_of(st.integers(), st.sampled_from((0, -1, 2**53, 2**63, 10**400)))
_leaves = st.one_of(
    st.none(), st.booleans(), _numbers, st.floats(), st.text(max_size=20), st.sampled_from(WORDS),
    st.just("\ud800"), st.just("x" * 100_000),
)  # fmt: skip
anything: Final = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
"""Any JSON, with what few parsers expect."""


def requests(cookies: Sequence[str], headers: Sequence[Mapping[str, str]]) -> Any:
    """Pages and forms: `cookies` are good ones, which are cut and forged too; each of `headers`
    shows a key, or nothing.
    """
    pages = st.builds(
        _request,
        st.sampled_from(METHODS), st.sampled_from(PAGES), st.lists(values, min_size=4, max_size=4),
        st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=4),
        st.sampled_from(headers), _cookie(cookies), st.just(b""),
    )  # fmt: skip
    forms = st.builds(
        _request,
        st.just("POST"), st.sampled_from(FORMS), st.lists(values, min_size=4, max_size=4),
        st.just([]), st.sampled_from(headers), _cookie(cookies), _form(),
        st.sampled_from(("application/x-www-form-urlencoded",) * 4 + (
            "multipart/form-data", "multipart/form-data; boundary=x", "application/json",
            "application/x-www-form-urlencoded; charset=utf-7", "text/plain", "\u00e9",
        )),
    )  # fmt: skip
    return st.one_of(pages, pages, forms)


def webhooks(secret: str) -> Any:
    """Deliveries, most of them signed rightly, whose payloads nobody at GitHub would send."""
    return st.builds(
        _delivery, st.just(secret), st.sampled_from(EVENTS), _payload(), st.uuids(),
        st.sampled_from(("right", "right", "right", "wrong", "none", "short")),
    )  # fmt: skip


def spoilt(value: Any, chance: Any) -> Any:
    """The JSON value with one place of it replaced by what does not belong there."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return value | {name: spoilt(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoilt(value[place], chance), *value[place + 1 :]]
    return chance.choice(
        (None, True, -1, 0, 2**63, 1e300, "", "\ud800", "\u00e9\u0142", "\0", "x" * 100_000, [],
         {}, [[]], {"a": None}, "http://[", "../..", [None] * 1_000, "2024-13-99T99:99:99Z")
    )  # fmt: skip


def _request(
    method: str,
    path: str,
    parts: Sequence[bytes],
    query: Sequence[tuple[str, bytes]],
    headers: Mapping[str, str],
    cookie: bytes,
    body: bytes,
    kind: str = "application/x-www-form-urlencoded",
) -> bytes:
    target = path.format(*(quote_from_bytes(part, safe="") for part in parts))
    if query:
        target += f"?{urlencode(query)}"
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Accept: text/html"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    head = "\r\n".join(lines).encode("latin-1")
    if cookie:
        head += b"\r\nCookie: " + cookie
    if method == "POST":
        head += b"\r\nContent-Type: %s\r\nContent-Length: %d" % (kind.encode(), len(body))
    return head + b"\r\n\r\n" + (body if method == "POST" else b"")


def _cookie(cookies: Sequence[str]) -> Any:
    """A good cookie, one that is cut, or changed at a place, doubled, or no cookie at all."""
    good = st.sampled_from(cookies).map(str.encode)
    cut = st.builds(lambda text, end: text[: end % (len(text) + 1)], good, st.integers(min_value=0))
    forged = st.builds(_with_byte, good, st.integers(min_value=0), st.integers(33, 126))
    cookie_like = st.binary(max_size=60).map(
        lambda data: b"pullrisk=" + data.translate(None, b"\r\n\0")
    )
    doubled = st.builds(lambda one, two: one + b"; " + two, good, good)
    chunks = st.builds(
        lambda text, number: text.replace(b"pullrisk=", b"pullrisk-%d=" % number), good,
        st.integers(0, 10**30),
    )  # fmt: skip
    return st.one_of(good, good, good, cut, forged, cookie_like, doubled, chunks)


def _with_byte(text: bytes, place: int, byte: int) -> bytes:
    if not text:
        return text
    place %= len(text)
    return text[:place] + bytes([byte]) + text[place + 1 :]


def _form() -> Any:
    pairs = st.lists(st.tuples(st.sampled_from(FIELDS), values), max_size=5)
    encoded = pairs.map(lambda fields: urlencode(fields).encode())
    many = st.just(b"&".join([b"a=b"] * 5_000))
    return st.one_of(encoded, encoded, encoded, values, many)


def _payload() -> Any:
    """A payload of GitHub's form with parts of any kind, or bytes that are none."""
    number = st.one_of(st.integers(1, 60), _numbers)
    repository = st.one_of(
        st.just({"id": 1_000, "node_id": "R", "full_name": "kedro-org/kedro"}),
        st.fixed_dictionaries({"id": st.integers(1, 2**52), "full_name": st.text(max_size=30)}),
        anything,
    )
    pull = st.one_of(st.fixed_dictionaries({"number": number}), anything)
    comment = st.fixed_dictionaries(
        {"id": number, "body": st.one_of(st.just("/pullrisk wrong \0\u202e"), anything),
         "user": st.one_of(st.just({"login": "mara", "type": "User"}), anything)}
    )  # fmt: skip
    issue = st.fixed_dictionaries({"number": number, "pull_request": st.one_of(pull, anything)})
    objects = st.fixed_dictionaries(
        {"action": st.sampled_from(ACTIONS)},
        optional={
            "installation": st.one_of(st.just({"id": 77}), st.just({"id": 77}), anything),
            "repository": repository, "pull_request": pull, "issue": issue, "comment": comment,
            "merge_group": st.one_of(st.fixed_dictionaries({"head_sha": st.text()}), anything),
        },
    )  # fmt: skip
    dumped = objects.map(lambda value: json.dumps(value).encode())
    deep = st.sampled_from(
        (b"[" * _DEEP, b'{"a":' * _DEEP, b'{"sender":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
         b'{"action":"' + b"\\ud800" * 50_000 + b'"}', b'{"a":' + b"9" * 300_000 + b"}")
    )  # fmt: skip
    return st.one_of(dumped, dumped, dumped, dumped, anything.map(_json), st.binary(), deep)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _delivery(secret: str, event: str, body: bytes, name: object, signed: str) -> bytes:
    signature = {
        "right": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}",
        "wrong": f"sha256={hmac.new(b'another', body, 'sha256').hexdigest()}",
        "short": "sha256=abc",
        "none": "",
    }[signed]
    head = (
        "POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Event: {event}\r\nX-GitHub-Delivery: {name}\r\n"
        f"X-Hub-Signature-256: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
