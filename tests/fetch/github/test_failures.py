"""Telling GitHub's answers apart."""

import time
from email.utils import formatdate

import httpx
import pytest

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
    check_errors,
    check_status,
    read_answer,
)
from pullrisk.fetch.github.graphql import Envelope, Problem

SECONDARY = '{"message": "You have exceeded a secondary rate limit."}'
HOUR_BEHIND = time.time() - 3_600


def check(status: int, text: str = "", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx.Request("POST", "https://api.github.com/graphql")
    response = httpx.Response(status, text=text, headers=named, request=request)
    check_status(response, response.content)


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (401, '{"message": "Bad credentials"}', Unauthorized),
        (403, '{"message": "Resource protected by organization SAML enforcement"}', Forbidden),
        (403, SECONDARY, Limited),
        (429, "", Limited),
        (502, "<html>Bad Gateway</html>", TooLarge),
        (504, "", TooLarge),
        (500, "", Transient),
        (503, "", Transient),
        (408, "", Transient),
    ],
)
def test_each_status_is_its_own_failure(status: int, text: str, failure: type[Failure]) -> None:
    with pytest.raises(failure, match=f"HTTP {status}"):
        check(status, text)


@pytest.mark.parametrize("status", [404, 301])
def test_a_server_that_is_no_github_is_a_wrong_setting(status: int) -> None:
    with pytest.raises(SettingsError, match="no GitHub API"):
        check(status, location="https://elsewhere.example.com/")


def test_a_malformed_query_is_a_defect_that_is_told() -> None:
    with pytest.raises(PullriskError, match="malformed: HTTP 400: Problems parsing JSON"):
        check(400, '{"message": "Problems parsing JSON"}')


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[1]", b'{"a":"\xff"}', b"[" * 20_000, b'{"a":"\\ud800"}']
)
def test_what_is_no_answer_is_tried_again(answer: bytes) -> None:
    with pytest.raises(Transient, match="cannot be understood"):
        read_answer(answer, dict[str, str])
    with pytest.raises(Transient):
        check(500, answer.decode("latin-1"))


@pytest.mark.parametrize("after", ["inf", "nan", "-5", "soon", "1e400", ""])
def test_a_limit_without_a_sensible_end_waits_for_no_time_without_end(after: str) -> None:
    with pytest.raises(Limited) as caught:
        check(403, SECONDARY, retry_after=after)
    assert caught.value.seconds in (None, 1.0)


@pytest.mark.parametrize("status", [403, 429])
def test_how_long_a_limit_lasts_is_read_from_the_headers(status: int) -> None:
    with pytest.raises(Limited) as caught:
        check(status, SECONDARY, retry_after="17")
    assert caught.value.seconds == 17
    with pytest.raises(Limited) as caught:
        check(
            status,
            date=formatdate(HOUR_BEHIND, usegmt=True),  # its clock counts, not this one's
            x_ratelimit_remaining="0",
            x_ratelimit_reset=str(int(HOUR_BEHIND) + 40),
        )
    assert caught.value.seconds == 40
    with pytest.raises(Limited) as caught:
        check(status, SECONDARY, retry_after="soon")
    assert caught.value.seconds is None


@pytest.mark.parametrize(
    ("problem", "failure"),
    [
        (Problem("gone", "NOT_FOUND", ["repository"]), NotFound),
        (Problem("no", "FORBIDDEN", ["node", "pullRequests"]), Forbidden),
        (Problem("needs read:org", "INSUFFICIENT_SCOPES", ["repositoryOwner"]), Forbidden),
        (Problem("Something went wrong while executing your query."), TooLarge),
        (Problem("too many", "MAX_NODE_LIMIT_EXCEEDED"), TooLarge),
        (Problem("limits", "RESOURCE_LIMITS_EXCEEDED", ["node", "x", 3]), TooLarge),
        (Problem("`x` does not appear to be a valid cursor."), BadCursor),
        (Problem("x", "INVALID_CURSOR_ARGUMENTS", ["node", "pullRequests"]), BadCursor),
        (Problem("wait", "RATE_LIMITED"), Limited),
        (Problem("wait", extensions={"code": "rate_limited"}), Limited),
        (Problem("You have exceeded a secondary rate limit"), Limited),
        (Problem("???"), Transient),
    ],
)
@pytest.mark.parametrize("data", [None, {"node": None}])
def test_each_error_inside_an_answer_is_its_own_failure(
    problem: Problem, failure: type[Failure], data: dict[str, object] | None
) -> None:
    with pytest.raises(failure):
        check_errors(Envelope(data=data, errors=[problem]), {})


def test_an_error_deep_inside_leaves_the_rest_to_use() -> None:
    data: dict[str, object] = {"node": {"pullRequests": {}}}
    deep = Problem("no", "FORBIDDEN", ["node", "pullRequests", "nodes", 0, "files"])
    assert check_errors(Envelope(data=data, errors=[deep]), {}) is data


def test_a_limit_inside_an_answer_lasts_as_its_headers_say() -> None:
    with pytest.raises(Limited) as caught:
        check_errors(Envelope(errors=[Problem("x", "RATE_LIMITED")]), {"retry-after": "9"})
    assert caught.value.seconds == 9


def test_an_answer_without_anything_is_tried_again() -> None:
    with pytest.raises(Transient, match="without data"):
        check_errors(Envelope[object](), {})
