"""The queue of deliveries in the MongoDB database of the pull store.

    deliveries      {_id: the delivery's id, token: who leased it last, …}; times are microseconds
                    since 1970
    delivery_locks  {_id: subject, until_us, token}: who handles deliveries of the subject

A lease is a lock on the subject. Taking one is a single write that the server orders, so that of
several workers one alone gets it; one that was killed holds it until the time is over.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from pymongo import DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from pullrisk.pulls.deliveries import RETENTION, Added, Delivery, DeliveryState, Lease, State
from pullrisk.pulls.mongo_database import MongoTable
from pullrisk.pulls.mongo_documents import Document
from pullrisk.pulls.store import microseconds, moment

CANDIDATES: Final = 200
"""Deliveries that are looked at for one whose subject nobody holds."""
_INDEXES: Final = [
    IndexModel(
        [("state", 1), ("urgent", DESCENDING), ("due_us", 1), ("received_us", 1)],
        name="deliveries_by_turn",
    ),
    IndexModel([("digest", 1)], name="deliveries_by_digest"),
    IndexModel([("received_us", DESCENDING)], name="deliveries_by_age"),
]
_TURN: Final = [("urgent", DESCENDING), ("due_us", 1), ("received_us", 1)]


class MongoDeliveries(MongoTable):
    """A `DeliveryQueue` in the database of the URI, for several threads and processes."""

    NAME, INDEXES = "deliveries", _INDEXES

    def add(self, delivery: Delivery) -> Added:
        """Keep it; see `DeliveryQueue.add`."""
        self._prepare()
        digest, received = delivery.digest.hex(), microseconds(delivery.received_at)
        known = self._find_one({"_id": delivery.id}) or self._find_one({"digest": digest})
        if known is not None:
            again = known["state"] == "dead" and self.repeat(
                [known["_id"]], now=delivery.received_at
            )
            return "repeated" if again else "known"
        document: Document = {
            "_id": delivery.id,
            "digest": digest,
            "event": delivery.event,
            "subject": delivery.subject,
            "urgent": int(delivery.urgent),
            "state": "waiting",
            "received_us": received,
            "due_us": received,
            "attempts": 0,
            "error": None,
            "body": delivery.body,
        }
        return "queued" if self._database.do(lambda: self._insert(document)) else "known"

    def lease(self, *, now: datetime, seconds: float) -> Lease | None:
        """The next delivery that is due; see `DeliveryQueue.lease`."""
        self._prepare()
        until, token = now + timedelta(seconds=seconds), uuid4().hex
        tried: set[str] = set()
        candidates = self._find(_due(now), {"subject": True}, sort=_TURN, limit=CANDIDATES)
        for candidate in candidates:
            subject = candidate["subject"]
            if subject in tried:
                continue
            tried.add(subject)
            if not self._database.do(
                lambda name=subject: self._lock(name, token, now, until)  # type: ignore[misc]
            ):
                continue
            lease = self._taken(candidate["_id"], token, now)
            if lease is not None:
                return lease
            self._unlock(subject, token)
        return None

    def renew(self, lease: Lease, *, now: datetime, seconds: float) -> bool:
        """Have the lease last longer; see `DeliveryQueue.renew`."""
        until = microseconds(now + timedelta(seconds=seconds))
        held: Document = {
            "_id": lease.delivery.subject,
            "token": lease.token,
            "until_us": {"$gt": microseconds(now)},
        }
        longer = {"$max": {"until_us": until}}
        return self._database.do(lambda: self._locks.update_one(held, longer).matched_count == 1)

    def finish(self, lease: Lease) -> None:
        """It is done."""
        self._change(lease, {"state": "done", "body": None, "error": None})

    def give_back(self, lease: Lease, *, due: datetime, error: str | None, counted: bool) -> None:
        """It waits until `due`."""
        attempts = lease.attempts - (not counted)
        self._change(lease, {"due_us": microseconds(due), "error": error, "attempts": attempts})

    def bury(self, lease: Lease, error: str) -> None:
        """Give it up."""
        self._change(lease, {"state": "dead", "error": error})

    def repeat(self, ids: list[str] | None, *, now: datetime) -> int:
        """Have the dead wait again."""
        self._prepare()
        criteria: Document = {"state": "dead"} | ({} if ids is None else {"_id": {"$in": ids}})
        change = {"state": "waiting", "attempts": 0, "due_us": microseconds(now), "error": None}
        return self._database.do(
            lambda: self._rows.update_many(criteria, {"$set": change}).modified_count
        )

    def states(self, state: State | None = None, *, limit: int = 100) -> list[DeliveryState]:
        """The deliveries in this state, or in any, the latest first."""
        self._prepare()
        criteria: Document = {} if state is None else {"state": state}
        order = [("received_us", DESCENDING), ("_id", 1)]
        rows = self._find(criteria, {"body": False}, sort=order, limit=limit)
        return [
            DeliveryState(
                id=row["_id"],
                event=row["event"],
                subject=row["subject"],
                state=row["state"],
                received_at=moment(row["received_us"]),
                due_at=moment(row["due_us"]),
                attempts=row["attempts"],
                error=row["error"],
            )
            for row in rows
        ]

    def counts(self) -> dict[State, int]:
        """How many there are in each state."""
        self._prepare()
        rows = self._aggregate({"$group": {"_id": "$state", "count": {"$sum": 1}}})
        counts = {row["_id"]: row["count"] for row in rows}
        return {
            "waiting": counts.get("waiting", 0),
            "done": counts.get("done", 0),
            "dead": counts.get("dead", 0),
        }

    def oldest(self) -> datetime | None:
        """When the oldest of those that wait was received, None if none waits."""
        self._prepare()
        order = [("received_us", 1)]
        row = self._find_one({"state": "waiting"}, {"received_us": True}, sort=order)
        return None if row is None else moment(row["received_us"])

    def prune(self, now: datetime) -> int:
        """Delete what has been done or dead for long."""
        self._prepare()
        old = {
            "received_us": {"$lt": microseconds(now - RETENTION)},
            "state": {"$in": ["done", "dead"]},
        }
        return self._database.do(lambda: self._rows.delete_many(old).deleted_count)

    @property
    def _locks(self) -> Collection[Document]:
        return self._database.pulls.database["delivery_locks"]

    def _insert(self, document: Document) -> bool:
        """Insert it; False if another process did so this moment."""
        try:
            self._rows.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def _lock(self, subject: str, token: str, now: datetime, until: datetime) -> bool:
        """Take the lock, or have taken it before a fail-over; False if another holds it."""
        free: Document = {
            "_id": subject,
            "$or": [{"until_us": {"$lte": microseconds(now)}}, {"token": token}],
        }
        held = {"_id": subject, "until_us": microseconds(until), "token": token}
        try:
            self._locks.replace_one(free, held, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    def _unlock(self, subject: str, token: str) -> None:
        self._database.do(lambda: self._locks.delete_one({"_id": subject, "token": token}))

    def _taken(self, name: str, token: str, now: datetime) -> Lease | None:
        """A lease of what is locked; None if it was finished between the list and the lock."""
        row = self._find_one({"_id": name, **_due(now)})
        if row is None:
            return None
        attempts = row["attempts"] + 1
        ours = {"$set": {"token": token, "attempts": attempts}}
        criteria = {"_id": name, **_due(now)}
        if not self._database.do(lambda: self._rows.update_one(criteria, ours).matched_count):
            return None
        delivery = Delivery(
            id=row["_id"],
            event=row["event"],
            subject=row["subject"],
            body=bytes(row["body"]),
            received_at=moment(row["received_us"]),
            urgent=bool(row["urgent"]),
        )
        return Lease(token=token, delivery=delivery, attempts=attempts)

    def _change(self, lease: Lease, values: Document) -> None:
        """Change the delivery unless it is another's by now."""
        ours = {"_id": lease.delivery.id, "token": lease.token}
        self._database.do(lambda: self._rows.update_one(ours, {"$set": values}))
        self._unlock(lease.delivery.subject, lease.token)


def _due(now: datetime) -> Document:
    """Which deliveries may be leased."""
    return {"state": "waiting", "due_us": {"$lte": microseconds(now)}}
