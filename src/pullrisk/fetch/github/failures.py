"""How one call to GitHub can fail, and how to recognise it in the answer.

    Failure
    ├── Unauthorized   the credential is wrong or has expired: renew it, or use another
    ├── Limited        a rate limit is reached: this credential waits `seconds`
    ├── TooLarge       GitHub ran out of time or nodes: ask for less
    ├── Transient      the network or GitHub failed for a moment: send the same call again later
    ├── NotFound       deleted, or hidden from this credential
    ├── Forbidden      this credential lacks a permission
    └── BadCursor      a saved cursor is not valid any more: start the pass again

`client`, `reader` and `sync` handle them or turn them into errors of `pullrisk.errors`; none of
them reaches a user.
"""

import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final, TypeVar

import httpx
import msgspec

from pullrisk.errors import PullriskError, SettingsError
from pullrisk.fetch.github.graphql import Envelope, Problem

T = TypeVar("T")

_LIMIT_KINDS: Final = frozenset({"RATE_LIMITED", "RATE_LIMIT", "GRAPHQL_RATE_LIMIT"})
_SIZE_KINDS: Final = frozenset({"MAX_NODE_LIMIT_EXCEEDED", "RESOURCE_LIMITS_EXCEEDED", "TIMEOUT"})
_REFUSALS: Final = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "UNPROCESSABLE"})
_SIZE_WORDS: Final = ("timeout", "timed out", "something went wrong", "couldn't respond", "nodes")
_LIMIT_WORDS: Final = ("secondary rate limit", "abuse detection", "rate limit exceeded")
LASTING: Final = _REFUSALS | {"NOT_FOUND"}
"""Kinds of error that stay when the call is repeated."""


class Failure(Exception):  # noqa: N818 (an outcome of a call, handled by its kind)
    """One call failed; the message is that of GitHub or of the network, without any secret."""


class Unauthorized(Failure):
    """HTTP 401."""


class Limited(Failure):
    """A primary or secondary rate limit; `seconds` to wait, None if GitHub does not say."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooLarge(Failure):
    """HTTP 502 or 504, a timeout (also one reported inside HTTP 200), or too many nodes."""


class Transient(Failure):
    """HTTP 500 or 503, a lost connection, an answer that is not JSON."""


class NotFound(Failure):
    """GraphQL error NOT_FOUND."""


class Forbidden(Failure):
    """HTTP 403 that is not a limit, or GraphQL error FORBIDDEN or INSUFFICIENT_SCOPES."""


class BadCursor(Failure):
    """GraphQL error INVALID_CURSOR_ARGUMENTS."""


def check_status(response: httpx.Response, body: bytes) -> None:
    """Raise the Failure for an HTTP status other than 200.

    Raises SettingsError if the server has no such API, PullriskError for a malformed request.
    """
    status = response.status_code
    if status == httpx.codes.OK:
        return
    message = f"HTTP {status}: {_message(body)}"
    if status == httpx.codes.UNAUTHORIZED:
        raise Unauthorized(message)
    if status in (httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS):
        raise _refusal(response.headers, message, status)
    if status in (httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT):
        raise TooLarge(message)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        raise Transient(message)
    if status == httpx.codes.NOT_FOUND or response.has_redirect_location:
        raise SettingsError(
            f"{response.url.copy_with(query=None)} is no GitHub API (HTTP {status})",
            hint="set PULLRISK_GITHUB_URL to the server's own address, without a path",
        )
    raise PullriskError(f"GitHub refuses the request as malformed: {message}")


def read_answer(data: bytes, kind: type[T]) -> T:
    """The JSON of an answer. Raises Transient for anything else, which a proxy may have sent."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError) as error:
        raise Transient(f"GitHub's answer cannot be understood: {error}") from None


def check_errors(envelope: Envelope[T], headers: Mapping[str, str]) -> T:
    """The data of an answer with HTTP status 200, which may lack parts deep inside.

    Raises a Failure if the errors leave nothing to use. `headers` tell how long a rate limit
    lasts.
    """
    problems = envelope.errors or []
    for problem in problems:
        if problem.kind in _LIMIT_KINDS or _mentions(problem, _LIMIT_WORDS):
            raise Limited(problem.message, _seconds_to_wait(headers))
    for problem in problems:
        if problem.kind in _SIZE_KINDS or "CURSOR" in problem.kind or _concerns_all(problem):
            raise failure_of([problem])
    if envelope.data is None:
        raise (
            failure_of(problems)
            if problems
            else Transient(envelope.message or "an answer without data")
        )
    return envelope.data


def server_time(headers: Mapping[str, str]) -> float:
    """Seconds since 1970 by GitHub's clock, or by the local clock if the header is missing.

    Times in GitHub's answers are compared with its own clock.
    """
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def failure_of(problems: Iterable[Problem]) -> Failure:
    """The Failure for the first of the errors."""
    problem = next(iter(problems), Problem("GitHub left it out and does not say why"))
    message = problem.message or problem.kind
    if problem.kind == "NOT_FOUND":
        return NotFound(message)
    if problem.kind in _REFUSALS:
        return Forbidden(message)
    if "CURSOR" in problem.kind or "valid cursor" in message:
        return BadCursor(message)
    if problem.kind in _SIZE_KINDS or _mentions(problem, _SIZE_WORDS):
        return TooLarge(message)
    return Transient(message)


def _refusal(headers: Mapping[str, str], message: str, status: int) -> Failure:
    """The Failure for HTTP 403 or 429: a rate limit, or a missing permission."""
    wait = _seconds_to_wait(headers)
    is_limit = any(words in message.lower() for words in _LIMIT_WORDS)
    if wait is not None or is_limit or status == httpx.codes.TOO_MANY_REQUESTS:
        return Limited(message, wait)
    return Forbidden(message)


def _seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, or None if the headers do not tell."""
    after = _number(headers.get("retry-after"))
    if after is not None:
        return max(after, 1.0)
    reset = _number(headers.get("x-ratelimit-reset"))
    if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        return max(reset - server_time(headers), 1.0)
    return None


def _concerns_all(problem: Problem) -> bool:
    """Whether the error concerns the whole answer, not one item of a list in it."""
    path = problem.path
    return not path or (len(path) <= 2 and isinstance(path[-1], str))


def _message(body: bytes) -> str:
    """GitHub's message, or the beginning of what a proxy wrote."""
    try:
        return msgspec.json.decode(body, type=Envelope[object]).message or "no message"
    except (ValueError, RecursionError):
        return " ".join(body[:200].decode(errors="replace").split()) or "no message"


def _mentions(problem: Problem, words: Iterable[str]) -> bool:
    message = problem.message.lower()
    return any(word in message for word in words)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return max(number, 0.0) if isfinite(number) else None
