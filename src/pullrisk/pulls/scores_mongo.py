"""Published scores in the MongoDB database of the pull store: one document for each pull.

scores  {_id: the pull's key, …, payload}; times are microseconds since 1970
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError

from pullrisk.pulls.mongo_database import MongoTable
from pullrisk.pulls.mongo_documents import Document, key
from pullrisk.pulls.mongo_server import duplicates
from pullrisk.pulls.scores import (
    MOST_PATHS,
    Key,
    PublishedScore,
    ScorePage,
    ScoreQuery,
    Sort,
    next_score,
)
from pullrisk.pulls.store import microseconds, moment

_ORDER: Final[dict[Sort, str]] = {
    "risk": "risk", "updated": "updated_us", "created": "created_us", "size": "lines",
}  # fmt: skip
_REST: Final = ["repository", "number", "state", "at_us", "band", "author"]
_INDEXES: Final = [
    *(
        IndexModel([(field, DESCENDING), *((name, ASCENDING) for name in _REST)], name=f"by_{sort}")
        for sort, field in _ORDER.items()
    ),
    IndexModel([("at_us", DESCENDING)], name="by_time"),
]
_BANDS: Final = {"high": "high", "elevated": "elevated", "low": "low", "": "unknown"}
_COUNTS: Final[Document] = {
    "_id": "$repository",
    **{
        name: {"$sum": {"$cond": [{"$eq": ["$open_band", name]}, 1, 0]}} for name in _BANDS.values()
    },
}
_decode: Final = msgspec.json.Decoder(PublishedScore).decode
_AT_ONCE: Final = 1_000
"""Scores in one read or write."""


class MongoScores(MongoTable):
    """A `ScoreTable` in the database of the URI, for several threads and processes."""

    NAME, INDEXES = "scores", _INDEXES

    def put(self, scores: Iterable[PublishedScore]) -> None:
        """Keep them, batch by batch; see `ScoreTable.put`."""
        self._prepare()
        every = list(scores)
        for start in range(0, len(every), _AT_ONCE):
            batch = every[start : start + _AT_ONCE]
            while batch:
                batch = self._put(batch)

    def get(self, repository: str, number: int) -> PublishedScore | None:
        """What was last said of one pull, or None."""
        row = self._find_one({"_id": key(repository, number)})
        return None if row is None else _decode(row["payload"])

    def page(self, query: ScoreQuery) -> ScorePage:
        """One page of a list."""
        criteria = _criteria(query)
        order = [(_ORDER[query.sort], DESCENDING), ("repository", 1), ("number", 1)]
        rows = self._find(
            criteria, {"payload": True}, sort=order, skip=query.offset, limit=query.limit
        )
        total = self._database.do(lambda: self._rows.count_documents(criteria))
        return ScorePage([_decode(row["payload"]) for row in rows], total)

    def versions(self, keys: Sequence[Key]) -> dict[Key, tuple[datetime, str]]:
        """When the pulls were last updated, and the models that scored them."""
        names = [key(repository, number) for repository, number in keys]
        fields = {"repository": True, "number": True, "updated_us": True, "model": True}
        rows = self._find({"_id": {"$in": names}}, fields)
        return {
            (row["repository"], row["number"]): (moment(row["updated_us"]), row["model"])
            for row in rows
        }

    def counts(self) -> dict[str, dict[str, int]]:
        """How many open pulls each repository has by band."""
        rows = self._aggregate({"$group": _COUNTS}, {"$sort": {"_id": 1}})
        return {
            row["_id"]: {band: row[name] for band, name in _BANDS.items() if row[name]}
            for row in rows
        }

    def newest(self) -> datetime | None:
        """The latest `at` of all."""
        fields, order = {"at_us": True}, [("at_us", DESCENDING)]
        row = self._find_one({}, fields, sort=order)
        return None if row is None else moment(row["at_us"])

    def _put(self, batch: list[PublishedScore]) -> list[PublishedScore]:
        """Keep them, but for those of pulls that another process has written since they were read.

        Those are returned.
        """
        names = [key(*score.key) for score in batch]
        rows = self._find({"_id": {"$in": names}}, {"payload": True})
        before = {row["_id"]: row["payload"] for row in rows}
        stored = {name: _decode(payload) for name, payload in before.items()}
        changed: dict[str, PublishedScore] = {}
        for name, score in zip(names, batch, strict=True):
            newer = next_score(stored.get(name), score)
            if newer is not None:
                stored[name] = changed[name] = newer
        writes = [
            ReplaceOne(
                {"_id": name, "payload": before.get(name)}, _document(name, score), upsert=True
            )
            for name, score in changed.items()
        ]
        overtaken = self._database.do(lambda: self._write(writes)) if writes else []
        written = list(changed)
        again = {written[place] for place in overtaken}
        return [score for name, score in zip(names, batch, strict=True) if name in again]

    def _write(self, writes: list[ReplaceOne[Document]]) -> list[int]:
        """Positions of what was not written: a document that fits no more is a duplicate."""
        try:
            self._rows.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return duplicates(error)
        return []


def _criteria(query: ScoreQuery) -> Document:
    values: Document = {
        "repository": query.repository,
        "state": query.state,
        "band": query.band,
        "author": query.author,
        "labels": query.label and query.label.casefold(),
        "paths": query.path and {"$regex": re.escape(query.path.casefold())},
        "words": query.text and {"$regex": re.escape(query.text.casefold())},
    }
    conditions: list[Document] = [{name: value} for name, value in values.items() if value]
    if query.repositories is not None:
        conditions.append({"repository": {"$in": sorted(query.repositories)}})
    if query.since is not None:
        conditions.append(
            {"$or": [{"state": "open"}, {"at_us": {"$gte": microseconds(query.since)}}]}
        )
    return {"$and": conditions} if conditions else {}


def _document(name: str, score: PublishedScore) -> Document:
    return {
        "_id": name,
        "repository": score.repository,
        "number": score.number,
        "state": score.state,
        "band": score.band,
        "open_band": _BANDS[score.band or ""] if score.state == "open" else None,
        "author": score.author,
        "risk": -1.0 if score.risk is None else score.risk,
        "at_us": microseconds(score.at),
        "updated_us": microseconds(score.updated_at),
        "created_us": microseconds(score.created_at),
        "lines": -1 if score.lines is None else score.lines,
        "model": score.model,
        "words": f"{score.title}\n{score.author or ''}".casefold(),
        "labels": [label.casefold() for label in score.labels],
        "paths": "\n".join(score.paths[:MOST_PATHS]).casefold(),
        "payload": msgspec.json.encode(score).decode(),
    }
