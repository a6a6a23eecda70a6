"""What every page tells the browser: what it may load, who may frame it, what it may pass on."""

from typing import Final, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No script or style that stands in a page itself, and nothing from elsewhere."""
_KIND, _POLICY, _CACHE = b"content-type", b"content-security-policy", b"cache-control"
_HTML: Final = b"text/html"
_ALWAYS: Final = (
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_OVER_HTTPS: Final = (b"strict-transport-security", b"max-age=31536000")


def page_headers(headers: Headers, *, over_https: bool) -> Headers:
    """The headers to add to those of an answer: none unless it is a page."""
    names = dict(headers)
    if not names.get(_KIND, b"").startswith(_HTML):
        return []
    added = [*_ALWAYS]
    if _POLICY not in names:
        added.append((_POLICY, PAGE_POLICY.encode()))
    if _CACHE not in names:
        added.append((_CACHE, b"private, no-cache"))
    if over_https:
        added.append(_OVER_HTTPS)
    return added
