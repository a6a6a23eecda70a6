"""JSON whose texts were cut in the middle of a character: half a surrogate pair becomes U+FFFD.

RFC 8259 allows such a text, and programs that cut a title after so many UTF-16 units write it;
no Unicode string can hold it.
"""

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()
# Whole pairs and all other escapes match too, so that "\\ud83d" (an escaped backslash) stays.
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ENCODED: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T:
    """What the decoder makes of the JSON. Raises its ValueErrors."""
    if isinstance(data, str):
        data = data.encode(errors="surrogatepass")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        whole = replace_halves(data)
        if whole == data or isinstance(error, msgspec.ValidationError):
            raise
        return decoder.decode(whole)


def replace_halves(data: bytes) -> bytes:
    """The JSON with U+FFFD for each half of a surrogate pair, escaped or as bytes of its own."""
    return _ENCODED.sub(_REPLACEMENT, _ESCAPE.sub(_whole, data))


def _whole(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape["half"] else escape[0]
