"""The addresses of the list of pulls: each filter is a parameter, so that a list can be shared."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from pullrisk.pulls.scores import MOST_OFFSET, ScoreQuery, Sort
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
    given = dict(parse_qsl(query.decode("latin-1")))
    named = {name: text.strip() for name, text in given.items() if name in _FIELDS}
    return _built({name: text for name, text in named.items() if _is_valid(name, text)})


def _is_valid(name: str, text: str) -> bool:
    try:
        _built({name: text})
    except msgspec.ValidationError:
        return False
    return True


def _built(values: Mapping[str, str]) -> Listing:
    return msgspec.convert(values, Listing, strict=False)


_FIELDS: Final = frozenset(Listing.__struct_fields__)
