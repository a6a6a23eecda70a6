"""JSON whose texts were cut in the middle of a character: half a surrogate pair becomes U+FFFD.

RFC 8259 allows such a text, and programs that cut a title after so many UTF-16 units write it;
no Unicode string can hold it.
"""

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()
_ESCAPED_REPLACEMENT: Final = b"\\ufffd"
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
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = replace_lone_surrogates(data)
        if whole == data:
            raise
        return decoder.decode(whole)


def replace_lone_surrogates(data: bytes) -> bytes:
    """The JSON with U+FFFD for each half of a surrogate pair, escaped or as bytes of its own."""
    # In place, as each is as long as what replaces it: there may be millions.
    whole = bytearray(data)
    for escape in _ESCAPE.finditer(data):
        if escape["half"]:
            whole[slice(*escape.span())] = _ESCAPED_REPLACEMENT
    for encoded in _ENCODED.finditer(data):
        whole[slice(*encoded.span())] = _REPLACEMENT
    return bytes(whole)
