"""The database under the MongoDB pull store: collections, indexes, schema version, writes."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar

from bson import Int64
from pymongo import DESCENDING, IndexModel, ReplaceOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from pullrisk.errors import StoreError
from pullrisk.pulls.mongo_documents import CODEC, SCHEMA, Document, key, to_document
from pullrisk.pulls.mongo_server import DEFAULTS, Address, Patience, duplicates, explained
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import Written

BATCH: Final = 1_000
"""Pulls in one write."""
BY_EVENT: Final = "pulls_by_event"
"""Index that answers fingerprints, summaries and the order of events without a document."""
BY_UPDATE: Final = "pulls_by_update"
"""Index of the recent pulls."""
HAPPENED: Final = {"$gte": Int64(-(2**63))}
"""Condition on `event_us`: not null. Unlike {"$ne": null}, the index alone answers it."""
REFUSALS: Final = frozenset({11, 13, 18, 391, 8000})
"""Error codes of a user who is unknown, gone, or has another password by now."""

_INDEXES: Final = [
    IndexModel(
        ["repository", "event_us", "number", "fingerprint", "state", "file_count", "updated_us"],
        name=BY_EVENT,
    ),
    IndexModel([("updated_us", DESCENDING), "repository", "number", "state"], name=BY_UPDATE),
]
_MARK: Final = "pulls"
_T = TypeVar("_T")


class Rotating(Protocol):
    """The store's URI, whose user and password may change while the store is open."""

    @property
    def now(self) -> str:
        """As it is now; costs nothing to ask."""

    def refresh(self) -> bool:
        """Read it anew, after it was refused; whether it changed."""


class _Connection:
    """One client and the collections of the store."""

    def __init__(self, uri: str) -> None:
        self.address = Address.parse(uri)
        self.client = self.address.client()
        wait = self.address.options.get("wtimeoutms", DEFAULTS["wtimeoutms"])
        database = self.client.get_database(
            self.address.database,
            codec_options=CODEC,
            write_concern=WriteConcern("majority", wtimeout=wait),
        )
        self.pulls = database["pulls"]
        self.checkpoints = database["checkpoints"]
        self.schema = database["schema"]


class Database:
    """One client on one database. `do` runs what talks to the server, and explains its errors.

    When the URI is rotated another client takes over; the one before it is closed at the next
    rotation, so that what other threads have under way ends well.
    """

    def __init__(self, uri: str, *, patience: float, rotating: Rotating | None = None) -> None:
        self._patience, self._rotating = Patience(patience), rotating
        self._connection = _Connection(uri)
        self._retired: _Connection | None = None
        self._lock = threading.Lock()
        self._checked = self._prepared = False

    @property
    def address(self) -> Address:
        """Where it is, and as whom."""
        return self._connection.address

    @property
    def pulls(self) -> Collection[Document]:
        """One document a pull request."""
        return self._connection.pulls

    @property
    def checkpoints(self) -> Collection[Document]:
        """Key and value."""
        return self._connection.checkpoints

    def do(self, work: Callable[[], _T]) -> _T:
        """What `work` returns; a lost connection repeats it, and so does a rotated password.

        `work` has to ask this object for its collections. Raises StoreError.
        """
        self._follow()
        asked = self.address
        with explained(asked):
            try:
                return self._patience.run(work)
            except OperationFailure as error:
                if not self._is_rotated(error, asked.uri):
                    raise
                return self._patience.run(work)

    def prepare(self) -> None:
        """Make schema and indexes before the first write; at any write, refuse a newer schema."""
        self._checked = False
        self.check()
        if not self._prepared:
            mark: Document = {"$setOnInsert": {"version": SCHEMA}}
            self.do(lambda: self._connection.schema.update_one({"_id": _MARK}, mark, upsert=True))
            self.do(lambda: self.pulls.create_indexes(_INDEXES))
            self._prepared = True

    def check(self) -> bool:
        """Whether there is a store. Refuses one of a newer version, or another program's data."""
        if self._checked:
            return True
        found = self.do(lambda: self._connection.schema.find_one({"_id": _MARK}))
        if found is None:
            self._refuse_foreign()
        elif found["version"] > SCHEMA:
            raise StoreError(
                f"pull store {self.address.shown} has schema version {found['version']}, "
                f"this pullrisk knows {SCHEMA}",
                hint="upgrade pullrisk, or name another store",
            )
        self._checked = found is not None
        return self._checked

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        for each in (self._retired, self._connection):
            if each is not None:
                each.client.close()

    def _follow(self) -> None:
        """Go on with the URI as it is now."""
        if self._rotating is None or self._rotating.now == self.address.uri:
            return
        with self._lock:
            uri = self._rotating.now
            if uri == self.address.uri:
                return  # another thread did it
            if self._retired is not None:
                self._retired.client.close()
            self._retired, self._connection = self._connection, _Connection(uri)
            self._checked = self._prepared = False

    def _is_rotated(self, error: OperationFailure, refused: str) -> bool:
        """Whether the refusal was of a URI that is out of date by now."""
        if self._rotating is None or error.code not in REFUSALS:
            return False
        if self._rotating.now == refused:
            self._rotating.refresh()
        self._follow()
        return self.address.uri != refused

    def _refuse_foreign(self) -> None:
        if self.do(lambda: self.pulls.find_one({}, {"_id": True})) is not None:
            raise StoreError(
                f"{self.address.shown}: its collection `pulls` is of another program",
                hint="name another database in the URI: mongodb://HOST/DATABASE",
            )


def batches(pulls: Iterable[Pull]) -> Iterator[dict[str, Pull]]:
    """Batches by `_id`; a pull that comes again begins a new one, so that order is kept."""
    batch: dict[str, Pull] = {}
    for pull in pulls:
        name = key(pull.repository, pull.number)
        if len(batch) == BATCH or name in batch:
            yield batch
            batch = {}
        batch[name] = pull
    if batch:
        yield batch


def write(database: Database, batch: dict[str, Pull]) -> Written:
    """Write those pulls of the batch that the store has not, in one unordered bulk write.

    What the store has is asked first: a page read again, the commonest, writes nothing, and a
    write repeated after a fail-over counts once.
    """
    documents = {name: to_document(pull) for name, pull in batch.items()}
    known = database.do(lambda: _known(database, list(documents)))
    newer = [one for name, one in documents.items() if _supersedes(one, known.get(name))]
    if newer:
        database.do(lambda: replace(database, newer))
    updated = sum(one["_id"] in known for one in newer)
    return Written(len(newer) - updated, updated, len(batch) - len(newer))


def _known(database: Database, names: list[str]) -> dict[str, tuple[int, int]]:
    """`_id` → (`updated_us`, `digest`) of those that are stored."""
    found = database.pulls.find({"_id": {"$in": names}}, {"updated_us": True, "digest": True})
    return {row["_id"]: (row["updated_us"], row["digest"]) for row in found}


def replace(database: Database, documents: list[Document]) -> None:
    """Replace or insert each, unless the store has a later one by now. May be repeated."""
    try:
        database.pulls.bulk_write([_guarded(one, upsert=True) for one in documents], ordered=False)
    except BulkWriteError as error:
        # A duplicate is a later version, or one inserted by another writer this moment, which
        # may be an earlier one: the guard alone decides, now that a document is there.
        rest = [documents[index] for index in duplicates(error)]
        database.pulls.bulk_write([_guarded(one, upsert=False) for one in rest], ordered=False)


def _supersedes(document: Document, known: tuple[int, int] | None) -> bool:
    if known is None:
        return True
    updated, digest = known
    later: bool = document["updated_us"] > updated
    return later or (document["updated_us"] == updated and document["digest"] != digest)


def _guarded(document: Document, *, upsert: bool) -> ReplaceOne[Document]:
    not_later = {"_id": document["_id"], "updated_us": {"$lte": document["updated_us"]}}
    return ReplaceOne(not_later, document, upsert=upsert)
