"""The database under the MongoDB pull store: its collections, indexes and schema version."""

from collections.abc import Callable
from typing import Final, TypeVar

from bson import Int64
from pymongo import DESCENDING, IndexModel, WriteConcern

from pullrisk.errors import StoreError
from pullrisk.pulls.mongo_documents import CODEC, SCHEMA, Document
from pullrisk.pulls.mongo_server import DEFAULTS, Address, Patience, explained

BY_EVENT: Final = "pulls_by_event"
"""Index that answers fingerprints, summaries and the order of events without a document."""
BY_UPDATE: Final = "pulls_by_update"
"""Index of the recent pulls."""
HAPPENED: Final = {"$gte": Int64(-(2**63))}
"""Condition on `event_us`: not null. Unlike {"$ne": null}, the index alone answers it."""

_INDEXES: Final = [
    IndexModel(
        ["repository", "event_us", "number", "fingerprint", "state", "file_count", "updated_us"],
        name=BY_EVENT,
    ),
    IndexModel([("updated_us", DESCENDING), "repository", "number", "state"], name=BY_UPDATE),
]
_MARK: Final = "pulls"
_T = TypeVar("_T")


class Database:
    """One client on one database. `do` runs what talks to the server, and explains its errors."""

    def __init__(self, uri: str, *, patience: float) -> None:
        self.address = Address.parse(uri)
        self._patience = Patience(patience)
        self._client = self.address.client()
        wait = self.address.options.get("wtimeoutms", DEFAULTS["wtimeoutms"])
        database = self._client.get_database(
            self.address.database,
            codec_options=CODEC,
            write_concern=WriteConcern("majority", wtimeout=wait),
        )
        self.pulls = database["pulls"]
        self.checkpoints = database["checkpoints"]
        self._schema = database["schema"]
        self._checked = self._prepared = False

    def do(self, work: Callable[[], _T]) -> _T:
        """What `work` returns; a lost connection repeats it. Raises StoreError."""
        with explained(self.address):
            return self._patience.run(work)

    def prepare(self) -> None:
        """Make schema and indexes before the first write; at any write, refuse a newer schema."""
        self._checked = False
        self.check()
        if not self._prepared:
            mark: Document = {"$setOnInsert": {"version": SCHEMA}}
            self.do(lambda: self._schema.update_one({"_id": _MARK}, mark, upsert=True))
            self.do(lambda: self.pulls.create_indexes(_INDEXES))
            self._prepared = True

    def check(self) -> bool:
        """Whether there is a store. Refuses one of a newer version, or another program's data."""
        if self._checked:
            return True
        found = self.do(lambda: self._schema.find_one({"_id": _MARK}))
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
        self._client.close()

    def _refuse_foreign(self) -> None:
        if self.do(lambda: self.pulls.find_one({}, {"_id": True})) is not None:
            raise StoreError(
                f"{self.address.shown}: its collection `pulls` is of another program",
                hint="name another database in the URI: mongodb://HOST/DATABASE",
            )
