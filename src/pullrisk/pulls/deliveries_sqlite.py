"""The queue of deliveries in the SQLite file of the pull store."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from pullrisk.pulls.deliveries import RETENTION, Added, Delivery, DeliveryState, Lease, State
from pullrisk.pulls.sqlite_file import SqliteTable
from pullrisk.pulls.store import microseconds, moment

# A delivery is leased while `leased_until` lies ahead; a holder that was killed leaves it so.
# GitHub does not send again what was acknowledged: it has to survive a power cut.
_SCHEMA: Final = """
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    received_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    error TEXT,
    body BLOB
);
CREATE INDEX IF NOT EXISTS deliveries_by_turn
    ON deliveries (state, urgent DESC, due_at, received_at);
CREATE INDEX IF NOT EXISTS deliveries_by_subject ON deliveries (subject, leased_until);
CREATE INDEX IF NOT EXISTS deliveries_by_digest ON deliveries (digest);
CREATE INDEX IF NOT EXISTS deliveries_by_age ON deliveries (received_at);
"""
_ADD: Final = """
INSERT INTO deliveries (id, digest, event, subject, urgent, received_at, due_at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_LEASE: Final = """
UPDATE deliveries SET leased_until = :until, token = :token, attempts = attempts + 1 WHERE id = (
    SELECT id FROM deliveries AS next
    WHERE state = 'waiting' AND due_at <= :now AND NOT EXISTS (
        SELECT 1 FROM deliveries AS other
        WHERE other.subject = next.subject AND other.leased_until > :now
    )
    ORDER BY urgent DESC, due_at, received_at LIMIT 1
)
RETURNING id, event, subject, body, received_at, urgent, attempts
"""
_REPEAT: Final = """
UPDATE deliveries SET state = 'waiting', attempts = 0, due_at = ?, error = NULL
WHERE state = 'dead'
"""
_STATES: Final = """
SELECT id, event, subject, state, received_at, due_at, attempts, error FROM deliveries
WHERE ?1 IS NULL OR state = ?1 ORDER BY received_at DESC, id LIMIT ?2
"""


class SqliteDeliveries(SqliteTable):
    """A `DeliveryQueue` in one SQLite file; threads may share it, each process opens its own."""

    SCHEMA = _SCHEMA

    def add(self, delivery: Delivery) -> Added:
        """Keep it; see `DeliveryQueue.add`."""
        received = microseconds(delivery.received_at)
        with self._transaction() as connection:
            known = connection.execute(
                "SELECT id, state FROM deliveries WHERE id = ? OR digest = ?",
                (delivery.id, delivery.digest),
            ).fetchone()
            if known is None:
                values = (
                    delivery.id, delivery.digest, delivery.event, delivery.subject,
                    delivery.urgent, received, received, delivery.body,
                )  # fmt: skip
                connection.execute(_ADD, values)
                return "queued"
            if known[1] != "dead":
                return "known"
            connection.execute(f"{_REPEAT} AND id = ?", (received, known[0]))
            return "repeated"

    def lease(self, *, now: datetime, seconds: float) -> Lease | None:
        """The next delivery that is due; see `DeliveryQueue.lease`."""
        values = {
            "now": microseconds(now),
            "until": microseconds(now + timedelta(seconds=seconds)),
            "token": uuid4().hex,
        }
        with self._transaction() as connection:
            row = connection.execute(_LEASE, values).fetchone()
        if row is None:
            return None
        name, event, subject, body, received, urgent, attempts = row
        delivery = Delivery(
            id=name,
            event=event,
            subject=subject,
            body=body,
            received_at=moment(received),
            urgent=bool(urgent),
        )
        return Lease(token=str(values["token"]), delivery=delivery, attempts=attempts)

    def renew(self, lease: Lease, *, now: datetime, seconds: float) -> bool:
        """Have the lease last longer; see `DeliveryQueue.renew`."""
        until = microseconds(now + timedelta(seconds=seconds))
        with self._transaction() as connection:
            renewed = connection.execute(
                "UPDATE deliveries SET leased_until = max(leased_until, ?) "
                "WHERE id = ? AND token = ? AND leased_until > ?",
                (until, lease.delivery.id, lease.token, microseconds(now)),
            )
            return renewed.rowcount == 1

    def finish(self, lease: Lease) -> None:
        """It is done."""
        self._end(lease, "state = 'done', body = NULL, error = NULL")

    def give_back(self, lease: Lease, *, due: datetime, error: str | None, counted: bool) -> None:
        """It waits until `due`."""
        self._end(
            lease,
            "due_at = ?, error = ?, attempts = ?",
            microseconds(due),
            error,
            lease.attempts - (not counted),
        )

    def bury(self, lease: Lease, error: str) -> None:
        """Give it up."""
        self._end(lease, "state = 'dead', error = ?", error)

    def repeat(self, ids: list[str] | None, *, now: datetime) -> int:
        """Have the dead wait again."""
        with self._transaction() as connection:
            if ids is None:
                return connection.execute(_REPEAT, (microseconds(now),)).rowcount
            return sum(
                connection.execute(f"{_REPEAT} AND id = ?", (microseconds(now), name)).rowcount
                for name in ids
            )

    def states(self, state: State | None = None, *, limit: int = 100) -> list[DeliveryState]:
        """The deliveries in this state, or in any, the latest first."""
        return [
            DeliveryState(
                id=name,
                event=event,
                subject=subject,
                state=own,
                received_at=moment(received),
                due_at=moment(due),
                attempts=attempts,
                error=error,
            )
            for name, event, subject, own, received, due, attempts, error in self._rows(
                _STATES, (state, limit)
            )
        ]

    def counts(self) -> dict[State, int]:
        """How many there are in each state."""
        rows = dict(self._rows("SELECT state, count(*) FROM deliveries GROUP BY state"))
        return {
            "waiting": rows.get("waiting", 0),
            "done": rows.get("done", 0),
            "dead": rows.get("dead", 0),
        }

    def oldest(self) -> datetime | None:
        """When the oldest of those that wait was received, None if none waits."""
        rows = self._rows(
            "SELECT received_at FROM deliveries WHERE state = 'waiting' "
            "ORDER BY received_at LIMIT 1"
        )
        return moment(rows[0][0]) if rows else None

    def prune(self, now: datetime) -> int:
        """Delete what has been done or dead for long."""
        with self._transaction() as connection:
            return connection.execute(
                "DELETE FROM deliveries WHERE received_at < ? AND state <> 'waiting'",
                (microseconds(now - RETENTION),),
            ).rowcount

    def _end(self, lease: Lease, change: str, *values: object) -> None:
        """Change the delivery unless it is another's by now."""
        with self._transaction() as connection:
            connection.execute(
                f"UPDATE deliveries SET {change}, leased_until = 0 WHERE id = ? AND token = ?",  # noqa: S608 (ours)
                (*values, lease.delivery.id, lease.token),
            )
