"""The queue of webhook deliveries, kept in the pull store until each is handled.

Adapters: `deliveries_sqlite.SqliteDeliveries` and `deliveries_mongo.MongoDeliveries`. Both pass
tests/app/test_deliveries.py.

    waiting   to be handled from `due_at` on, by whoever leases it first
    done      handled; its body is gone, and its id is kept so that a repetition is recognised
    dead      given up; it stays, with its body, until somebody repeats it or `RETENTION` is over
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

State: TypeAlias = Literal["waiting", "done", "dead"]
Added: TypeAlias = Literal["queued", "repeated", "known"]
"""What became of a delivery: it is new; it was dead and waits again; it is there already."""

RETENTION: Final = timedelta(days=30)
"""How long what is done or dead is kept; GitHub repeats a delivery for three days at most."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as GitHub sent it.

    `subject` is what it is about: of two deliveries with the same subject, never are both handled
    at once. Urgent ones are handled first.
    """

    id: str
    event: str
    subject: str
    body: bytes
    received_at: datetime
    urgent: bool = False

    @property
    def digest(self) -> bytes:
        """Of what GitHub signed: the id, which is not signed, can be changed by who repeats it."""
        return sha256(self.event.encode() + b"\0" + self.body).digest()


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that its holder alone may handle, for some time; `attempts` counts this one."""

    token: str
    delivery: Delivery
    attempts: int


class LeaseLost(Exception):  # noqa: N818  # nothing is wrong: another may have the delivery
    """The lease ended while its delivery was handled: what was begun must change nothing more."""


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a list; `error` is why the last attempt failed, None if none did."""

    id: str
    event: str
    subject: str
    state: State
    received_at: datetime
    due_at: datetime
    attempts: int
    error: str | None = None


class DeliveryQueue(Protocol):
    """Deliveries with leases. Several threads and processes may share one; times are aware.

    All methods raise StoreError.
    """

    def add(self, delivery: Delivery) -> Added:
        """Keep it, durably once this returns. It is known by its id, or by its digest."""

    def lease(self, *, now: datetime, seconds: float) -> Lease | None:
        """The next delivery that is due, for its holder alone until `seconds` from now.

        Returns None if none is due whose subject nobody holds.
        """

    def renew(self, lease: Lease, *, now: datetime, seconds: float) -> bool:
        """Have the lease last until `seconds` from now; False if it has ended already."""

    def finish(self, lease: Lease) -> None:
        """It is done: forget its body. Nothing changes once another holds it, here and below."""

    def give_back(self, lease: Lease, *, due: datetime, error: str | None, counted: bool) -> None:
        """It waits until `due`; unless `counted`, the attempt counts as if never made."""

    def bury(self, lease: Lease, error: str) -> None:
        """Give it up."""

    def repeat(self, ids: list[str] | None, *, now: datetime) -> int:
        """Have the dead with these ids, or all, wait again from the first attempt; how many."""

    def states(self, state: State | None = None, *, limit: int = 100) -> list[DeliveryState]:
        """The deliveries in this state, or in any, the latest first."""

    def counts(self) -> dict[State, int]:
        """How many there are in each state."""

    def oldest(self) -> datetime | None:
        """When the oldest of those that wait was received, None if none waits."""

    def prune(self, now: datetime) -> int:
        """Delete what has been done or dead for longer than `RETENTION`; returns how many."""

    def close(self) -> None:
        """Close files and connections. Safe to call twice."""
