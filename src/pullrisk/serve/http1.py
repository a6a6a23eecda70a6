"""How HTTP/1.1 is spoken at every port of the service."""

from typing import Final

from granian.http import HTTP1Settings

from pullrisk.options import ServeOptions

_HEAD_BYTES: Final = 65_536


def http1_settings(options: ServeOptions) -> HTTP1Settings:
    """A head has to come whole within `body_timeout`, the first byte and idle time included."""
    return HTTP1Settings(
        header_read_timeout=int(options.body_timeout * 1_000), max_buffer_size=_HEAD_BYTES
    )
