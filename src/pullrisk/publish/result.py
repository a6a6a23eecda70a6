"""What is told of one pull, as the JSON document that other steps and workflows read."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pullrisk.brief.result import Brief
from pullrisk.errors import InputError
from pullrisk.model.bundle import Band

FORMAT: Final = 1
MOST_BYTES: Final = 300_000
"""Of the document; what a brief holds is far less."""
MOST_ITEMS: Final = 25
FILE: Final = "pullrisk.json"
"""The document's name in the artifact."""

_Sha = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A scored pull with its brief, or one that is not scored, and why.

    `brief` is None exactly if `reason` says why there is none.
    """

    format: Literal[1] = FORMAT
    repository: str
    number: int
    head_sha: _Sha
    reason: str | None = None
    brief: Brief | None = None
    notices: tuple[str, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether there is a risk: a model may not tell one, of a young repository for example."""
        return self.brief is not None and self.brief.risk is not None

    @property
    def band(self) -> Band | None:
        """The band of risk; None without a score, or if the model has no risk."""
        return self.brief.band if self.brief else None


def encode(result: Result) -> bytes:
    """The document."""
    return msgspec.json.encode(result)


def decode(data: bytes) -> Result:
    """The document, checked and bounded: a stranger may have written it. Raises InputError."""
    if len(data) > MOST_BYTES:
        raise InputError(f"the result holds more than {MOST_BYTES} bytes")
    try:
        result = msgspec.json.decode(data, type=Result)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the result cannot be understood: {error}") from None
    if (result.brief is None) == (result.reason is None):
        raise InputError("the result is neither a score nor a reason why there is none")
    return result


def bounded(brief: Brief) -> Brief:
    """The brief with no more of each list than people read."""
    lists = {
        name: value[:MOST_ITEMS]
        for name, value in msgspec.structs.asdict(brief).items()
        if isinstance(value, tuple)
    }
    return msgspec.structs.replace(brief, **lists)
