"""How one secret may turn up in output: escaped, percent-encoded, in base64, or in part."""

import base64
import html
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote

_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")
_URL_SAFE: Final = str.maketrans("+/", "-_")


def password_of(uri: str) -> str | None:
    """The password as it is written in the URI, even if it should have been percent-encoded;
    None if there is none.
    """
    user, at, _ = uri.partition("://")[2].rpartition("@")
    _, colon, password = user.partition(":")
    return password if at and colon and password else None


def forms(value: str) -> Iterator[str]:
    """How a value may turn up in output: as it is, escaped, encoded, or only a part of it."""
    for part in (value, *_parts(value)):
        data = part.encode(errors="surrogatepass")
        yield part
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield json.dumps(json.dumps(part)[1:-1])[1:-1]
        yield repr(part)[1:-1]
        yield html.escape(part)
        for encoded in (quote(part, safe=""), quote(part), quote_plus(part)):
            yield encoded
            yield _PERCENT.sub(lambda found: found[0].lower(), encoded)
            yield quote(encoded, safe="")
        yield data.hex()
        yield data.hex().upper()
        yield from _in_base64(data)


def _in_base64(data: bytes) -> Iterator[str]:
    """The value in base64, also where it is only a part of what was encoded (`user:password`)."""
    for before in range(3):
        # The first and last characters hold bits of the neighbours, too.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        encoded = base64.b64encode(b"\0" * before + data)[first:last].decode()
        yield encoded
        yield encoded.translate(_URL_SAFE)


def _parts(value: str) -> Iterator[str]:
    if "\n" in value:
        yield from (line for line in value.splitlines() if len(line) >= 16)
    password = password_of(value)
    if password:
        yield password
        yield unquote(password)
