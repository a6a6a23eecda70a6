"""The list of pulls, riskiest first."""

from hashlib import blake2b

import msgspec
from litestar import Response
from litestar.response import Redirect

from pullrisk.dashboard.listing import PAGE, Listing, listing_of
from pullrisk.dashboard.page import render
from pullrisk.dashboard.reading import Reader
from pullrisk.pulls.scores import PublishedScore, ScorePage, encode
from pullrisk.serve.sign_in.viewer import Viewer


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
    shown = await _read(reader, viewer, listing)
    return render("pulls.html.j2", list=shown, repositories=visible, place="pulls", viewer=viewer)


async def pulls_part(reader: Reader, viewer: Viewer, query: bytes) -> Response[bytes]:
    """The list alone, for a page that is open already; 204 if it shows what there is."""
    shown = await _read(reader, viewer, listing_of(query))
    if f"seen={shown.digest}".encode() in query.split(b"&"):
        return Response(b"", status_code=204)
    return render("pulls_list.html.j2", list=shown)


def shorter(query: bytes, path: str) -> Redirect | None:
    """To the same list under its shortest address, if a form's empty fields made a longer one."""
    if b"=&" not in f"{query.decode('latin-1')}&".encode():
        return None
    return Redirect(f"{path}{listing_of(query).address()}", status_code=303)


async def _read(reader: Reader, viewer: Viewer, listing: Listing) -> PullList:
    newest = await reader.scores(lambda table: table.newest())
    page = await reader.scores(lambda table: table.page(listing.query(viewer, newest)))
    return PullList(listing, page.scores, page.total, _digest(page))


def _digest(page: ScorePage) -> str:
    hashed = blake2b(f"{page.total}".encode(), digest_size=8)
    for score in page.scores:
        hashed.update(encode(score))
    return hashed.hexdigest()
