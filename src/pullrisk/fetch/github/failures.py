"""What can go wrong with one call, each kind with its own cure.

    Failure
    ├── Unauthorized   the credential is wrong or has expired: renew it, or use another
    ├── Limited        a limit is reached: this credential waits `seconds`
    ├── TooLarge       GitHub ran out of time or nodes: ask for less
    ├── Transient      the network or GitHub failed for a moment: the same again, later
    ├── NotFound       deleted, or this credential must not know of it
    ├── Forbidden      this credential may not
    └── BadCursor      a saved cursor is not understood any more: start again

They never reach a user: `client` and `sync` cure them or turn them into errors of the tree.
"""


class Failure(Exception):  # noqa: N818 (each is an outcome of a call, named as such)
    """One call failed; the message is GitHub's or the network's, and holds no secret."""


class Unauthorized(Failure):
    """401."""


class Limited(Failure):
    """A primary or secondary limit; `seconds` to wait, None where GitHub does not say."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooLarge(Failure):
    """502, 504, a timeout (also one reported inside HTTP 200), or a page over a node limit."""


class Transient(Failure):
    """500, 503, a cut connection, an answer that is no JSON."""


class NotFound(Failure):
    """NOT_FOUND."""


class Forbidden(Failure):
    """403 without a limit, FORBIDDEN, INSUFFICIENT_SCOPES."""


class BadCursor(Failure):
    """INVALID_CURSOR_ARGUMENTS."""
