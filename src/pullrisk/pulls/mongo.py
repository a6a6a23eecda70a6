"""The pull store on MongoDB: for several machines, and for people who query it.

Collections of the database that the URI names (`pullrisk` unless it does):

    pulls        one document a pull request; see mongo_documents.py
    checkpoints  {_id: key, value: JSON}
    schema       one document: the version that wrote the store
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heappop, heappush
from itertools import islice
from typing import Any, Final, Self

import msgspec

from pullrisk.errors import StoreError, needs_extra

with needs_extra("mongo"):
    from pymongo import DESCENDING
    from pymongo.collection import Collection

from pullrisk.pulls.mongo_database import (
    BY_EVENT,
    HAPPENED,
    RETRY_SECONDS,
    Database,
    Stored,
    batches,
    write,
)
from pullrisk.pulls.mongo_documents import Document, key, to_pull
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import RepositorySummary, Rotating, Written, microseconds, moment
from pullrisk.pulls.versions import join_versions

BATCH: Final = 1_000
"""Pulls that are read at once."""
MANY: Final = 10_000
"""Numbers in one query."""
_NEVER: Final = 1 << 62
"""The event of an open pull, to `$min`: not every engine passes over a null."""
_PULL: Final[Document] = {"number": {"$gt": 0}}
_PUSH: Final[Document] = {"number": {"$lt": 0}}
_SUMMARY: Final[Document] = {
    "_id": "$repository",
    "pulls": {"$sum": 1},
    "merged": {"$sum": {"$cond": [{"$eq": ["$state", "merged"]}, 1, 0]}},
    "open": {"$sum": {"$cond": [{"$eq": ["$state", "open"]}, 1, 0]}},
    "files": {"$sum": "$file_count"},
    "first": {"$min": {"$cond": [{"$eq": ["$state", "open"]}, _NEVER, "$event_us"]}},
    "last": {"$max": "$event_us"},
    "updated": {"$max": "$updated_us"},
}
_COUNT: Final[Document] = {"_id": "$repository", "pushes": {"$sum": 1}}
_JOINED: Final = ("author", "author_names", "lines", "closed_bugs", "updated_us", "digest")
_Key = tuple[int, int]


class MongoStore:
    """A `PullStore` in the MongoDB database of the URI, for several threads and processes.

    Nothing is created before the first write. Writes wait for a majority of the replica set.
    Work that a fail-over interrupts is repeated for `retry_seconds`; all writes are idempotent.
    `rotating` gives the current URI if its user or password may be rotated. Raises SettingsError
    for a URI that cannot be read, StoreError in the methods; no message shows a password.
    """

    def __init__(
        self,
        uri: str,
        *,
        retry_seconds: float = RETRY_SECONDS,
        rotating: Rotating[str] | None = None,
    ) -> None:
        self._database = Database(uri, retry_seconds=retry_seconds, rotating=rotating)

    def __repr__(self) -> str:
        return f"MongoStore({self._database.address.shown!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["MongoStore"], tuple[str]]:
        """Pickle the URI: another process opens the database for itself."""
        return MongoStore, (self._database.address.uri,)

    def upsert(
        self, pulls: Iterable[Pull], *, checkpoint: tuple[str, Mapping[str, object]] | None = None
    ) -> Written:
        """Write pulls batch by batch, then the checkpoint; see `PullStore.upsert`."""
        self._database.prepare()
        written = Written()
        for batch in batches(pulls):
            while batch:
                joined, stored = self._join_stored(batch)
                done, changed = write(self._database, joined, stored)
                written += done
                batch = {name: batch[name] for name in changed}  # joined with another by now
        if checkpoint is not None:
            name, value = checkpoint
            document = {"_id": name, "value": msgspec.json.encode(value).decode()}
            self._database.do(
                lambda: self._checkpoints.replace_one({"_id": name}, document, upsert=True)
            )
        return written

    def get(self, repository: str, number: int) -> Pull | None:
        """One pull, or None."""
        self._database.check()
        document = self._database.do(lambda: self._pulls.find_one({"_id": key(repository, number)}))
        return None if document is None else self._pull(document)

    def repositories(self) -> list[RepositorySummary]:
        """A summary of every repository that has a pull; reads one index and no document."""
        if not self._database.check():
            return []
        groups = self._grouped(_PULL, _SUMMARY)
        pushes = {group["_id"]: group["pushes"] for group in self._grouped(_PUSH, _COUNT)}
        return [
            RepositorySummary(
                repository=group["_id"],
                pulls=group["pulls"],
                merged=group["merged"],
                open=group["open"],
                files=group["files"],
                first_event_at=None if group["first"] == _NEVER else moment(group["first"]),
                last_event_at=None if group["last"] is None else moment(group["last"]),
                last_updated_at=moment(group["updated"]),
                pushes=pushes.get(group["_id"], 0),
            )
            for group in groups
        ]

    def fingerprints(self, repository: str) -> dict[int, int]:
        """Number → fingerprint of every event; reads one index, no document."""
        self._database.check()
        criteria = {"repository": repository, "event_us": HAPPENED}
        rows = self._keys(criteria, "number", "fingerprint")
        return {row["number"]: row["fingerprint"] for row in rows}

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        """Events in their order, as of the moment when the first is read.

        A pull that is rewritten meanwhile comes in its new version, at the position of its new
        event; one that is reopened does not come.
        """
        self._database.check()
        moved: list[tuple[_Key, Document]] = []
        for then, row in self._rows(repository, self._event_keys(repository, numbers)):
            if row["event_us"] is None:
                continue
            now = (row["event_us"], row["number"])
            if now > then:
                heappush(moved, (now, row))
                continue
            while moved and moved[0][0] < then:
                yield self._pull(heappop(moved)[1])
            yield self._pull(row)
        while moved:
            yield self._pull(heappop(moved)[1])

    def events_since(self, repository: str, moment: datetime) -> list[Pull]:
        """The events later than the moment, in event order; reads those alone."""
        self._database.check()
        later = {"repository": repository, "event_us": {"$gt": microseconds(moment)}}
        rows = self._find(later)
        return [
            self._pull(row)
            for row in sorted(rows, key=lambda row: (row["event_us"], row["number"]))
        ]

    def pulls(self, repository: str) -> Iterator[Pull]:
        """All pulls by number, open ones too, as of the moment when the first is read."""
        return self._by_number({"repository": repository, **_PULL})

    def merges(self, repository: str) -> dict[str, int]:
        """Number by the commit that merged it; reads these two fields alone."""
        self._database.check()
        criteria = {"repository": repository, "event_us": HAPPENED}
        rows = self._keys(criteria, "merge_sha", "number")
        return {row["merge_sha"]: row["number"] for row in rows if row.get("merge_sha")}

    def pushes(self, repository: str) -> Iterator[Pull]:
        """All direct pushes by number, as of the moment when the first is read."""
        return self._by_number({"repository": repository, **_PUSH})

    def recent(
        self, *, repository: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Pull]:
        """Pulls by last update, newest first."""
        self._database.check()
        if limit <= 0:
            return []
        named = {"repository": repository, "state": state}
        criteria = {name: value for name, value in named.items() if value is not None} | _PULL
        order = [("updated_us", DESCENDING), ("repository", 1), ("number", 1)]
        rows = self._database.do(lambda: list(self._pulls.find(criteria, sort=order, limit=limit)))
        return [self._pull(row) for row in rows]

    def checkpoint(self, key: str) -> dict[str, object] | None:
        """The value last saved under the key, or None."""
        self._database.check()
        row = self._database.do(lambda: self._checkpoints.find_one({"_id": key}))
        return None if row is None else msgspec.json.decode(row["value"], type=dict[str, object])

    def checkpoints(self) -> dict[str, dict[str, object]]:
        """Every checkpoint by its key."""
        self._database.check()
        rows = self._database.do(lambda: list(self._checkpoints.find()))
        decode = msgspec.json.Decoder(dict[str, object]).decode
        return {row["_id"]: decode(row["value"]) for row in sorted(rows, key=lambda r: r["_id"])}

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._database.close()

    def _join_stored(self, batch: dict[str, Pull]) -> tuple[dict[str, Pull], Stored]:
        """The pulls with what only their stored versions know, and what these were."""
        fields = dict.fromkeys(_JOINED, True)
        rows = self._find({"_id": {"$in": list(batch)}}, fields)
        ids = [row["_id"] for row in rows if _knows_other(row, batch[row["_id"]])]
        known = self._find({"_id": {"$in": ids}}) if ids else []
        joined = batch | {row["_id"]: _join(row, batch[row["_id"]]) for row in known}
        return joined, {row["_id"]: (row["updated_us"], row["digest"]) for row in rows}

    @property
    def _pulls(self) -> Collection[Document]:
        return self._database.pulls

    @property
    def _checkpoints(self) -> Collection[Document]:
        return self._database.checkpoints

    def _grouped(self, criteria: Document, group: Document) -> list[Document]:
        """The groups of the matching documents, by name; reads the index only."""
        stages: list[Document] = [{"$match": criteria}, {"$group": group}, {"$sort": {"_id": 1}}]
        return self._database.do(lambda: list(self._pulls.aggregate(stages, hint=BY_EVENT)))

    def _by_number(self, criteria: Document) -> Iterator[Pull]:
        self._database.check()
        keys = sorted((0, row["number"]) for row in self._keys(criteria, "number"))
        for _, row in self._rows(criteria["repository"], keys):
            yield self._pull(row)

    def _event_keys(self, repository: str, numbers: Iterable[int] | None) -> list[_Key]:
        """(event, number) of the repository's events in order; reads the index only."""
        criteria: Document = {"repository": repository, "event_us": HAPPENED}
        filters = (
            [criteria]
            if numbers is None
            else [criteria | {"number": {"$in": part}} for part in _parts(numbers, MANY)]
        )
        rows = (row for part in filters for row in self._keys(part, "event_us", "number"))
        return sorted((row["event_us"], row["number"]) for row in rows)

    def _keys(self, criteria: Document, *names: str) -> list[Document]:
        return self._find(criteria, {"_id": False, **dict.fromkeys(names, True)})

    def _find(self, criteria: Document, fields: Document | None = None) -> list[Document]:
        return self._database.do(lambda: list(self._pulls.find(criteria, fields)))

    def _rows(self, repository: str, keys: Iterable[_Key]) -> Iterator[tuple[_Key, Document]]:
        """The documents with these keys (…, number), in the same order.

        Each batch is one short query, which can be repeated after a fail-over. No cursor stays
        open while the caller works, so none can time out.
        """
        for part in _parts(keys, BATCH):
            names = [key(repository, number) for _, number in part]
            rows = {row["_id"]: row for row in self._find({"_id": {"$in": names}})}
            yield from (
                (position, rows[name])
                for position, name in zip(part, names, strict=True)
                if name in rows
            )

    def _pull(self, document: Document) -> Pull:
        try:
            return to_pull(document)
        except (ValueError, TypeError, AttributeError) as error:
            shown = self._database.address.shown
            raise StoreError(
                f"pull store {shown}: {document['_id']} cannot be read: {error}",
                hint="upgrade pullrisk, or delete the document and fetch it again",
            ) from None


def _knows_other(row: Document, pull: Pull) -> bool:
    """Whether the stored version names the author otherwise, or one of the two tells no lines or
    no labels of closed issues.
    """
    names = row.get("author"), tuple(row.get("author_names") or ())
    has_origins = pull.lines is not None and pull.lines.rewrites is not None
    return (
        names != (pull.author, pull.author_names)
        or bool(row.get("lines")) != has_origins
        or (row.get("closed_bugs") is None) != (pull.closed_bugs is None)
    )


def _join(row: Document, pull: Pull) -> Pull:
    """`join_versions` with the stored version, if that can be read."""
    try:
        return join_versions(to_pull(row), pull)
    except (ValueError, TypeError, AttributeError):
        return pull


def _parts(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
