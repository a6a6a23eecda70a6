"""Guarded writes: a batch of pull requests into MongoDB, of which no stale one replaces a newer."""

from collections.abc import Iterable, Iterator
from typing import Final

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from pullrisk.pulls.mongo_database import Database
from pullrisk.pulls.mongo_documents import Document, key, to_document
from pullrisk.pulls.mongo_server import duplicates
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import Written

BATCH: Final = 1_000
"""Pulls in one write."""


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
