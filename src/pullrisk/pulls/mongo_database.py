"""The database under the MongoDB pull store: collections, indexes, schema version, writes."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias, TypeVar

from bson import Int64
from pymongo import DESCENDING, IndexModel, ReplaceOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from pullrisk.errors import StoreError
from pullrisk.pulls.mongo_documents import CODEC, SCHEMA, Document, key, to_document
from pullrisk.pulls.mongo_server import DEFAULTS, Address, Retries, duplicates, translate_errors
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import Rotating, Written

RETRY_SECONDS: Final = 60.0
"""How long work that a fail-over interrupted is repeated."""
BATCH: Final = 1_000
"""Pulls in one write."""
BY_EVENT: Final = "pulls_by_event"
"""Index for fingerprints, summaries and the order of events, without reading documents."""
BY_UPDATE: Final = "pulls_by_update"
"""Index of the recent pulls."""
HAPPENED: Final = {"$gte": Int64(-(2**63))}
"""Condition on `event_us`: not null. Unlike {"$ne": null}, it is answered by the index alone."""
REFUSALS: Final = frozenset({11, 13, 18, 391, 8000})
"""Error codes of a user that does not exist or whose password has changed."""

_INDEXES: Final = [
    IndexModel(
        ["repository", "event_us", "number", "fingerprint", "state", "file_count", "updated_us"],
        name=BY_EVENT,
    ),
    IndexModel([("updated_us", DESCENDING), "repository", "number", "state"], name=BY_UPDATE),
]
_MARK: Final = "pulls"
_T = TypeVar("_T")
Stored: TypeAlias = Mapping[str, tuple[int, int]]
"""`updated_us` and `digest` of stored pulls, by `_id`."""


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
    """One client of one database; `do` runs everything that talks to the server.

    When the URI is rotated, a new client is used. The one before it is closed at the next
    rotation only, so that the work of other threads can end.
    """

    def __init__(
        self, uri: str, *, retry_seconds: float, rotating: Rotating[str] | None = None
    ) -> None:
        self._retries, self._rotating = Retries(retry_seconds), rotating
        self._connection = _Connection(uri)
        self._retired: _Connection | None = None
        self._lock = threading.Lock()
        self._checked = self._prepared = False

    @property
    def address(self) -> Address:
        """The address that is in use."""
        return self._connection.address

    @property
    def pulls(self) -> Collection[Document]:
        """The collection of pulls, one document for each."""
        return self._connection.pulls

    @property
    def checkpoints(self) -> Collection[Document]:
        """The collection of checkpoints, by key."""
        return self._connection.checkpoints

    def do(self, work: Callable[[], _T]) -> _T:
        """Run `work` and return its result; repeat it after a lost connection or a rotation.

        `work` has to get the collections from this object each time. Raises StoreError.
        """
        self._apply_rotation()
        address = self.address
        with translate_errors(address):
            try:
                return self._retries.run(work)
            except OperationFailure as error:
                if not self._was_rotated(error, address.uri):
                    raise
                return self._retries.run(work)

    def prepare(self) -> None:
        """Create schema and indexes before the first write; refuse a newer schema at any write."""
        self._checked = False
        self.check()
        if not self._prepared:
            mark: Document = {"$setOnInsert": {"version": SCHEMA}}
            self.do(lambda: self._connection.schema.update_one({"_id": _MARK}, mark, upsert=True))
            self.do(lambda: self.pulls.create_indexes(_INDEXES))
            self._prepared = True

    def check(self) -> bool:
        """Whether there is a store. Raises StoreError for a newer version or for other data."""
        if self._checked:
            return True
        mark = self.do(lambda: self._connection.schema.find_one({"_id": _MARK}))
        if mark is None:
            self._refuse_foreign()
        elif mark["version"] > SCHEMA:
            raise StoreError(
                f"pull store {self.address.shown} has schema version {mark['version']}, "
                f"this pullrisk knows {SCHEMA}",
                hint="upgrade pullrisk, or name another store",
            )
        self._checked = mark is not None
        return self._checked

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        for connection in (self._retired, self._connection):
            if connection is not None:
                connection.client.close()

    def _apply_rotation(self) -> None:
        """Connect with the current URI if it has changed."""
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

    def _was_rotated(self, error: OperationFailure, refused: str) -> bool:
        """Whether the URI that the server refused has been replaced by now."""
        if self._rotating is None or error.code not in REFUSALS:
            return False
        if self._rotating.now == refused:
            self._rotating.refresh()
        self._apply_rotation()
        return self.address.uri != refused

    def _refuse_foreign(self) -> None:
        if self.do(lambda: self.pulls.find_one({}, {"_id": True})) is not None:
            raise StoreError(
                f"{self.address.shown}: its collection `pulls` is of another program",
                hint="name another database in the URI: mongodb://HOST/DATABASE",
            )


class MongoTable:
    """A collection beside the pulls, for several threads and processes; its indexes are made first.

    Raises SettingsError for a URI that cannot be read, StoreError in the methods.
    """

    NAME: ClassVar[str]
    INDEXES: ClassVar[list[IndexModel]]

    def __init__(
        self,
        uri: str,
        *,
        retry_seconds: float = RETRY_SECONDS,
        rotating: Rotating[str] | None = None,
    ) -> None:
        self._database = Database(uri, retry_seconds=retry_seconds, rotating=rotating)
        self._prepared = False

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._database.close()

    @property
    def _rows(self) -> Collection[Document]:
        return self._database.pulls.database[self.NAME]

    def _find(
        self,
        criteria: Document,
        fields: Document | None = None,
        *,
        sort: Sequence[tuple[str, int]] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> list[Document]:
        return self._database.do(
            lambda: list(self._rows.find(criteria, fields, sort=sort, skip=skip, limit=limit))
        )

    def _find_one(
        self,
        criteria: Document,
        fields: Document | None = None,
        *,
        sort: Sequence[tuple[str, int]] | None = None,
    ) -> Document | None:
        return next(iter(self._find(criteria, fields, sort=sort, limit=1)), None)

    def _aggregate(self, *stages: Document) -> list[Document]:
        return self._database.do(lambda: list(self._rows.aggregate(list(stages))))

    def _prepare(self) -> None:
        if not self._prepared:
            self._database.prepare()
            self._database.do(lambda: self._rows.create_indexes(self.INDEXES))
            self._prepared = True


def batches(pulls: Iterable[Pull]) -> Iterator[dict[str, Pull]]:
    """Batches of pulls by `_id`; a repeated pull begins a new batch, which keeps their order."""
    batch: dict[str, Pull] = {}
    for pull in pulls:
        name = key(pull.repository, pull.number)
        if len(batch) == BATCH or name in batch:
            yield batch
            batch = {}
        batch[name] = pull
    if batch:
        yield batch


def write(
    database: Database, batch: dict[str, Pull], stored: Stored
) -> tuple[Written, frozenset[str]]:
    """Write the pulls of the batch that the store does not have, in one unordered bulk write.

    `stored` are the versions that the pulls were joined with. Returns also the `_id`s of pulls that
    another writer has changed since: they are not written. A page that is read again writes
    nothing, which is the most common case; a write that is repeated after a fail-over counts once.
    """
    documents = {name: to_document(pull) for name, pull in batch.items()}
    newer = {
        name: document
        for name, document in documents.items()
        if _supersedes(document, stored.get(name))
    }
    changed = database.do(lambda: replace(database, newer, stored)) if newer else frozenset[str]()
    written = newer.keys() - changed
    updated = len(written & stored.keys())
    return Written(len(written) - updated, updated, len(batch) - len(newer)), changed


def replace(
    database: Database, documents: Mapping[str, Document], stored: Stored
) -> frozenset[str]:
    """Replace or insert each, unless another than the `stored` version is there by now.

    Returns the `_id`s of those. May be repeated.
    """
    writes = [
        ReplaceOne({"_id": name, "digest": stored.get(name, (0, None))[1]}, document, upsert=True)
        for name, document in documents.items()
    ]
    try:
        database.pulls.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        names = list(documents)
        refused = [names[index] for index in duplicates(error)]
        rows = database.pulls.find({"_id": {"$in": refused}}, {"digest": True})
        return frozenset(
            row["_id"] for row in rows if row["digest"] != documents[row["_id"]]["digest"]
        )
    return frozenset()


def _supersedes(document: Document, known: tuple[int, int] | None) -> bool:
    if known is None:
        return True
    updated, digest = known
    later: bool = document["updated_us"] > updated
    return later or (document["updated_us"] == updated and document["digest"] != digest)
