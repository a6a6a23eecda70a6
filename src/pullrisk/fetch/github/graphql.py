"""What every GraphQL call to GitHub has: a document, and an answer in an envelope."""

from functools import cache
from importlib.resources import files
from typing import Generic, TypeVar

import msgspec

from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.record import Moment

T = TypeVar("T")


class Shape(msgspec.Struct, rename="camel", gc=False):
    """A part of an answer; its fields have camel-case names in JSON."""


class RateLimit(Shape):
    """What a call cost and what is left, in points; at `reset_at` the budget is full again."""

    limit: int
    cost: int
    remaining: int
    reset_at: Moment


class Problem(Shape):
    """One entry of `errors`; `path` leads to the field that is null because of it."""

    message: str = ""
    type: str | None = None
    path: list[str | int] | None = None
    extensions: dict[str, object] | None = None

    @property
    def kind(self) -> str:
        """GitHub's word for the kind of error, from either of its two places, or ""."""
        return self.type or str((self.extensions or {}).get("code") or "").upper()

    @property
    def field(self) -> str:
        """The last name of the path, or ""."""
        return next((part for part in reversed(self.path or ()) if isinstance(part, str)), "")


class Envelope(Shape, Generic[T]):
    """A whole answer; only `message` is set if GitHub answers like its REST API."""

    data: T | None = None
    errors: list[Problem] | None = None
    message: str | None = None


class PageInfo(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Whether a connection has another page, and the cursor for it."""

    has_next_page: bool = False
    end_cursor: str | None = None


class Connection(Shape, Generic[T]):
    """A page of a connection."""

    nodes: list[T | None] | None = None
    total_count: int | None = None
    page_info: PageInfo = PageInfo()


def present(connection: Connection[T] | None) -> list[T]:
    """The nodes of the connection without the nulls that a partial answer has."""
    nodes = connection.nodes if connection else None
    return [node for node in nodes or () if node is not None]


class Data(Shape):
    """The part that every document asks for."""

    rate_limit: RateLimit | None = None


D = TypeVar("D", bound=Data)


class Document(Generic[D]):
    """A query in `documents/` and the type of its answer; both are loaded when first used."""

    def __init__(self, name: str, answer: type[D]) -> None:
        self.name = name
        self._answer = answer

    def text(self) -> str:
        """The query as it is sent, on one line."""
        return _read(self.name)

    def decode(self, body: bytes) -> Envelope[D]:
        """Decode an answer. Raises msgspec.MsgspecError."""
        return lone_surrogates.decode(_decoder(self._answer), body)


@cache
def _read(name: str) -> str:
    text = files("pullrisk.fetch.github").joinpath("documents", f"{name}.graphql").read_text()
    return " ".join(text.split())


@cache
def _decoder(answer: type[Data]) -> msgspec.json.Decoder[Envelope[D]]:
    return msgspec.json.Decoder(Envelope[answer])  # type: ignore[valid-type]
