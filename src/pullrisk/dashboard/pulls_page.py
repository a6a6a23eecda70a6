"""The list of pulls, riskiest first. Its address says which: each filter is a parameter, so that a
list can be shared.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Response
from litestar.response import Redirect

from pullrisk.dashboard.page import render
from pullrisk.dashboard.reading import Reader
from pullrisk.pulls.scores import (
    MOST_OFFSET,
    PublishedScore,
    ScorePage,
    ScoreQuery,
    Sort,
    encode,
)
from pullrisk.serve.sign_in.viewer import Viewer

Shown: TypeAlias = Literal["recent", "open", "merged", "closed", "all"]
RECENT: Final = timedelta(days=30)
"""How long an ended pull is recent, before the latest event of all."""
PAGE: Final = 40
"""Pulls on a page."""
_Words: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
_STATES: Final = frozenset(("open", "merged", "closed"))


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the address of a list asks for; an empty text asks for any."""

    shown: Shown = "recent"
    repository: _Words = ""
    band: Literal["", "high", "elevated", "low"] = ""
    author: _Words = ""
    label: _Words = ""
    path: _Words = ""
    text: _Words = ""
    sort: Sort = "risk"
    page: Annotated[int, msgspec.Meta(ge=1, le=MOST_OFFSET // PAGE)] = 1

    @property
    def is_filtered(self) -> bool:
        """Whether any filter narrows the list."""
        chosen = msgspec.to_builtins(self)
        return bool(chosen.keys() - {"sort", "page"})

    def query(self, viewer: Viewer, newest: datetime | None) -> ScoreQuery:
        """The same for the table, of what the viewer may read."""
        since = newest - RECENT if self.shown == "recent" and newest is not None else None
        return ScoreQuery(
            repositories=viewer.repositories,
            repository=self.repository or None,
            state=self.shown if self.shown in _STATES else None,
            band=self.band or None,
            author=self.author or None,
            label=self.label or None,
            path=self.path or None,
            text=self.text or None,
            since=since,
            sort=self.sort,
            limit=PAGE,
            offset=(self.page - 1) * PAGE,
        )

    def address(self, **changes: object) -> str:
        """The shortest parameters of this list with changes; "" without any."""
        changed = msgspec.to_builtins(msgspec.structs.replace(self, **changes))
        return f"?{urlencode(changed)}" if changed else ""


def listing_of(query: bytes) -> Listing:
    """What an address asks for; a value that cannot be is left out, as is an unknown parameter."""
    parameters = dict(parse_qsl(query.decode("latin-1")))
    known_parameters = {name: text.strip() for name, text in parameters.items() if name in _FIELDS}
    return _built({name: text for name, text in known_parameters.items() if _is_valid(name, text)})


def _is_valid(name: str, text: str) -> bool:
    try:
        _built({name: text})
    except msgspec.ValidationError:
        return False
    return True


def _built(values: Mapping[str, str]) -> Listing:
    return msgspec.convert(values, Listing, strict=False)


_FIELDS: Final = frozenset(Listing.__struct_fields__)


class PullList(msgspec.Struct, frozen=True):
    """A page of the list; `digest` changes whenever anything on it does."""

    listing: Listing
    scores: list[PublishedScore]
    total: int
    digest: str

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // PAGE))

    @property
    def first(self) -> int:
        """The place of the first pull of this page, from 1."""
        return (self.listing.page - 1) * PAGE + 1


async def pulls_page(reader: Reader, viewer: Viewer, query: bytes) -> Response[bytes]:
    """The whole page."""
    listing = listing_of(query)
    counts = await reader.scores(lambda table: table.counts())
    visible = {name: bands for name, bands in counts.items() if viewer.may_read(name)}
    pull_list = await _read(reader, viewer, listing)
    return render(
        "pulls.html.j2", list=pull_list, repositories=visible, place="pulls", viewer=viewer
    )


async def pulls_part(reader: Reader, viewer: Viewer, query: bytes) -> Response[bytes]:
    """The list alone, for a page that is open already; 204 if it shows what there is."""
    pull_list = await _read(reader, viewer, listing_of(query))
    if f"seen={pull_list.digest}".encode() in query.split(b"&"):
        return Response(b"", status_code=204)
    return render("pulls_list.html.j2", list=pull_list)


def shorter(query: bytes) -> Redirect | None:
    """To the same list under its shortest address, if a form's empty fields made a longer one."""
    if b"=&" not in f"{query.decode('latin-1')}&".encode():
        return None
    return Redirect(f"/{listing_of(query).address()}", status_code=303)


async def _read(reader: Reader, viewer: Viewer, listing: Listing) -> PullList:
    newest = await reader.scores(lambda table: table.newest())
    page = await reader.scores(lambda table: table.page(listing.query(viewer, newest)))
    return PullList(listing, page.scores, page.total, _digest(page))


def _digest(page: ScorePage) -> str:
    hashed = blake2b(f"{page.total}".encode(), digest_size=8)
    for score in page.scores:
        hashed.update(encode(score))
    return hashed.hexdigest()
