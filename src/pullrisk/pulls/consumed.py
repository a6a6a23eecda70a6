"""Which pulls a history has consumed, and what more the store has: all of it later, or not."""

from datetime import datetime

import msgspec
import numpy as np

from pullrisk.pulls.store import PullStore


class ConsumedPulls(msgspec.Struct):
    """Which pulls a history has consumed: number → `record.fingerprint`, up to `as_of`."""

    pulls: dict[int, int]
    as_of: datetime | None = None

    def encode(self) -> bytes:
        """At most 16 bytes a pull."""
        saved = _SavedConsumed(
            as_of=self.as_of,
            numbers=np.fromiter(self.pulls.keys(), "<i8", len(self.pulls)).tobytes(),
            fingerprints=np.fromiter(self.pulls.values(), "<i8", len(self.pulls)).tobytes(),
        )
        return msgspec.msgpack.encode(saved)

    @classmethod
    def decode(cls, content: bytes) -> "ConsumedPulls":
        """What `encode` wrote; raises ValueError for anything else."""
        saved = msgspec.msgpack.decode(content, type=_SavedConsumed)
        numbers = np.frombuffer(saved.numbers, "<i8").tolist()
        fingerprints = np.frombuffer(saved.fingerprints, "<i8").tolist()
        return cls(dict(zip(numbers, fingerprints, strict=True)), saved.as_of)

    def rest(
        self, store: PullStore, repository: str, pulls: dict[int, int]
    ) -> dict[int, int] | str:
        """Those of the store's `pulls` that the history can go on with, by their fingerprints.

        A text says why it cannot: a history is a fold over the events in their order.
        """
        if not self.pulls.items() <= pulls.items():
            return "pulls replayed before have changed"
        new = {number: pulls[number] for number in pulls.keys() - self.pulls.keys()}
        first = next(iter(store.events(repository, numbers=new)), None) if new else None
        if first is None or first.event_at is None or self.as_of is None:
            return new
        return new if first.event_at > self.as_of else "a pull arrived after later ones"


class _SavedConsumed(msgspec.Struct, array_like=True):
    as_of: datetime | None
    numbers: bytes
    fingerprints: bytes
