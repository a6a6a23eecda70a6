"""Tell GitHub's answers apart: one function for the HTTP status, one for the errors inside."""

import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx
import msgspec

from pullrisk.errors import PullriskError, SettingsError
from pullrisk.fetch.github.failures import (
    BadCursor,
    Failure,
    Forbidden,
    Limited,
    NotFound,
    TooLarge,
    Transient,
    Unauthorized,
)
from pullrisk.fetch.github.wire import Envelope, Problem

T = TypeVar("T")

_LIMIT_KINDS: Final = frozenset({"RATE_LIMITED", "RATE_LIMIT", "GRAPHQL_RATE_LIMIT"})
_SIZE_KINDS: Final = frozenset({"MAX_NODE_LIMIT_EXCEEDED", "RESOURCE_LIMITS_EXCEEDED", "TIMEOUT"})
_REFUSALS: Final = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "UNPROCESSABLE"})
_SIZE_WORDS: Final = ("timeout", "timed out", "something went wrong", "couldn't respond", "nodes")
_LIMIT_WORDS: Final = ("secondary rate limit", "abuse detection", "rate limit exceeded")
LASTING: Final = _REFUSALS | {"NOT_FOUND"}
"""Kinds of error that asking again does not cure."""


def check_status(response: httpx.Response, body: bytes) -> None:
    """Raise the Failure that an HTTP status other than 200 stands for."""
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


def check_errors(envelope: Envelope[T], headers: Mapping[str, str]) -> T:
    """The data, also where a part deep inside is missing; else raises the Failure it ended with.

    The headers tell how long a limit lasts that is reported inside HTTP 200.
    """
    problems = envelope.errors or []
    for problem in problems:
        if problem.kind in _LIMIT_KINDS or _says(problem, _LIMIT_WORDS):
            raise Limited(problem.message, _wait(headers))
    for problem in problems:
        if problem.kind in _SIZE_KINDS or "CURSOR" in problem.kind or _is_at_the_top(problem):
            raise failure_of([problem])
    if envelope.data is None:
        raise failure_of(problems) if problems else Transient(_absent(envelope))
    return envelope.data


def server_time(headers: Mapping[str, str]) -> float:
    """Seconds since 1970 by GitHub's clock, which its times are compared with."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def failure_of(problems: Iterable[Problem]) -> Failure:
    """The Failure that the first of the errors stands for."""
    problem = next(iter(problems), Problem("GitHub left it out and does not say why"))
    message = problem.message or problem.kind
    if problem.kind == "NOT_FOUND":
        return NotFound(message)
    if problem.kind in _REFUSALS:
        return Forbidden(message)
    if "CURSOR" in problem.kind or "valid cursor" in message:
        return BadCursor(message)
    if problem.kind in _SIZE_KINDS or _says(problem, _SIZE_WORDS):
        return TooLarge(message)
    return Transient(message)


def _refusal(headers: Mapping[str, str], message: str, status: int) -> Failure:
    """What a 403 or 429 means; GitHub tells limits and permissions apart by headers only."""
    wait = _wait(headers)
    is_limit = any(words in message.lower() for words in _LIMIT_WORDS)
    if wait is not None or is_limit or status == httpx.codes.TOO_MANY_REQUESTS:
        return Limited(message, wait)
    return Forbidden(message)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as far as the headers tell."""
    after = _number(headers.get("retry-after"))
    if after is not None:
        return max(after, 1.0)
    reset = _number(headers.get("x-ratelimit-reset"))
    if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        return max(reset - server_time(headers), 1.0)
    return None


def _is_at_the_top(problem: Problem) -> bool:
    """Whether it leaves nothing to use, unlike one inside a list."""
    path = problem.path
    return not path or (len(path) <= 2 and isinstance(path[-1], str))


def _message(body: bytes) -> str:
    """GitHub's own words, or the beginning of what a proxy wrote."""
    try:
        return msgspec.json.decode(body, type=Envelope[object]).message or "no message"
    except msgspec.MsgspecError:
        return " ".join(body[:200].decode(errors="replace").split()) or "no message"


def _absent(envelope: Envelope[T]) -> str:
    return envelope.message or "an answer without data"


def _says(problem: Problem, words: Iterable[str]) -> bool:
    message = problem.message.lower()
    return any(each in message for each in words)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None
