"""What of a URI people may see: never its password, nor any other secret in its options."""

from re import IGNORECASE
from re import compile as pattern
from typing import Final

# Greedy up to the last "@": a password that should have been percent-encoded holds "@" or "/".
_USER: Final = pattern(r"(?<=://)[^/\s]\S*@")
_SECRET: Final = pattern(
    r"([?&;][^=&;\s]*(?:password|token|secret|properties)[^=&;\s]*=)[^&;\s'\"]*", IGNORECASE
)


def redacted(text: str) -> str:
    """The text with the user names, passwords and secret options of the URIs in it masked."""
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))
