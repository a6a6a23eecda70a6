"""Errors as RFC 9457 writes them: `application/problem+json` with the id that the log has."""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from litestar.exceptions import HTTPException, ValidationException

from pullrisk.errors import PullriskError, StoreError

if TYPE_CHECKING:
    from pullrisk.serve.inflight import ActiveRequest

Headers: TypeAlias = dict[str, str]

PROBLEM: Final = "application/problem+json"
TITLES: Final = {
    400: "Malformed request",
    303: "Sign in",
    401: "Key required",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    408: "Request too slow",
    409: "Model refused",
    413: "Body too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Invalid content",
    500: "Internal error",
    503: "Unavailable",
    504: "Took too long",
}
"""The statuses of problems, each with its title."""
_DEFECT: Final = "a defect of pullrisk; the log has it under this request_id"
_encoder: Final = msgspec.json.Encoder()


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as RFC 9457 writes it; `request_id` is the one in the access log."""

    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    type: str = "about:blank"


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, *, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}

    def body(self, request_id: str) -> bytes:
        """The document."""
        title = TITLES.get(self.status, "Refused")
        return _encoder.encode(Problem(title, self.status, self.detail, request_id))


def problem_of(error: Exception, request: "ActiveRequest", log: Any) -> ProblemError:  # noqa: ANN401
    """The problem that an exception of a handler, or of the framework, means.

    The log gets the traceback of a defect: what nobody meant to raise.
    """
    if isinstance(error, ProblemError):
        return error
    if not isinstance(error, HTTPException | PullriskError):
        log.exception("defect", request_id=request.id)
    if isinstance(error, StoreError):
        return ProblemError(503, f"the pull store cannot be read: {error.args[0]}")
    if isinstance(error, ValidationException) or getattr(error, "status_code", 0) == 404:
        return ProblemError(
            404, f"there is no {request.path[:200]}"
        )  # only paths are validated there
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = dict(error.headers or {})
        detail = f"this path answers {headers['allow']}" if "allow" in headers else error.detail
        return ProblemError(error.status_code, detail, headers=headers)
    return ProblemError(500, _DEFECT)
