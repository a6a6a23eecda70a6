"""What of a URI people may see: never its user and password, nor a secret in its options."""

from re import IGNORECASE
from re import compile as pattern
from typing import Final

MASK: Final = "***"
# Up to the last "@": a password that should have been percent-encoded holds "@" or "/". A text
# that begins with a URI may be nothing else, and then its password may even hold a space.
_USER: Final = pattern(r"(?:(?<=://)[^/\s]\S*|(?<=\A)(['\"]?\w[\w+.-]*://)[^/\n][^\n]*)@")
_SECRET: Final = pattern(
    r"([?&;][^=&;\s]*(?:password|token|secret|properties)[^=&;\s]*=)[^&;\s'\"]*", IGNORECASE
)


def redacted(text: str) -> str:
    """The text with the user names, passwords and secret options of the URIs in it masked."""
    if "://" not in text:
        return text
    return _SECRET.sub(rf"\1{MASK}", _USER.sub(rf"\g<1>{MASK}@", text))


def password_of(uri: str) -> str | None:
    """The password as the URI spells it, also where that should have been percent-encoded."""
    user, at, _ = uri.partition("://")[2].rpartition("@")
    _, colon, password = user.partition(":")
    return password if at and colon and password else None
