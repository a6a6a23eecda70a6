"""The GraphQL documents: one for each need, each with the shape of its answer."""

from functools import cache
from importlib.resources import files
from typing import Final, Generic, TypeVar

import msgspec

from pullrisk.fetch.github import shapes, wire

T = TypeVar("T", bound=wire.Data)


class Document(Generic[T]):
    """A query in `documents/`, its text and its decoder made when first needed."""

    def __init__(self, name: str, answer: type[T]) -> None:
        self.name = name
        self._answer = answer

    def text(self) -> str:
        """The query as it is sent."""
        return _read(self.name)

    def decode(self, body: bytes) -> wire.Envelope[T]:
        """The answer. Raises msgspec.MsgspecError."""
        envelope: wire.Envelope[T] = _decoder(self._answer).decode(body)
        return envelope


PULLS: Final = Document("pulls", shapes.PullsData)
FILES: Final = Document("files", shapes.PartsData)
REVIEWS: Final = Document("reviews", shapes.PartsData)
NAMED: Final = Document("named", shapes.NamedData)
IDENTIFIED: Final = Document("identified", shapes.IdentifiedData)
OWNED: Final = Document("owned", shapes.OwnedData)
FOUND: Final = Document("found", shapes.FoundData)


@cache
def _read(name: str) -> str:
    text = files("pullrisk.fetch.github").joinpath("documents", f"{name}.graphql").read_text()
    return " ".join(text.split())


@cache
def _decoder(answer: type[wire.Data]) -> msgspec.json.Decoder[wire.Envelope[T]]:
    return msgspec.json.Decoder(wire.Envelope[answer])  # type: ignore[valid-type]
