"""What every GraphQL answer of GitHub's is made of."""

from datetime import datetime
from typing import Annotated, Generic, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class Shape(msgspec.Struct, rename="camel", gc=False):
    """A part of an answer; GraphQL spells names in camel case."""


class RateLimit(Shape):
    """What a call cost and what is left, in points; `reset_at` is when all come back."""

    limit: int
    cost: int
    remaining: int
    reset_at: Moment


class Problem(Shape):
    """One entry of `errors`. `path` leads to the field that is null because of it."""

    message: str = ""
    type: str | None = None
    path: list[str | int] | None = None
    extensions: dict[str, object] | None = None

    @property
    def kind(self) -> str:
        """GitHub's word for the kind of error, wherever it stands; empty where there is none."""
        return self.type or str((self.extensions or {}).get("code") or "").upper()

    @property
    def field(self) -> str:
        """The last name on the path."""
        return next((part for part in reversed(self.path or ()) if isinstance(part, str)), "")


class Envelope(Shape, Generic[T]):
    """A whole answer; `message` stands alone where GitHub answers as its REST API does."""

    data: T | None = None
    errors: list[Problem] | None = None
    message: str | None = None


class PageInfo(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Where a connection goes on."""

    has_next_page: bool = False
    end_cursor: str | None = None


class Connection(Shape, Generic[T]):
    """A page of a connection."""

    nodes: list[T | None] | None = None
    total_count: int | None = None
    page_info: PageInfo = PageInfo()


class Data(Shape):
    """What every document asks for."""

    rate_limit: RateLimit | None = None
