"""Published scores in the SQLite file of the pull store."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from pullrisk.pulls.scores import (
    MOST_PATHS,
    Key,
    PublishedScore,
    ScorePage,
    ScoreQuery,
    Sort,
    decode,
    encode,
    next_score,
)
from pullrisk.pulls.sqlite_file import SqliteTable
from pullrisk.pulls.store import microseconds, moment

# `at` is PublishedScore.at; `words`, `labels` and `paths` are lines in lower case, searched by
# instr. `payload` stands last so that nothing reads its pages before it is chosen.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS scores (
    repository TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    band TEXT,
    author TEXT,
    risk REAL NOT NULL,
    at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    model TEXT NOT NULL,
    words TEXT NOT NULL,
    labels TEXT NOT NULL,
    paths TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (repository, number)
);
CREATE INDEX IF NOT EXISTS scores_by_risk
    ON scores (risk DESC, repository, number, state, at, band, author, words);
CREATE INDEX IF NOT EXISTS scores_by_update
    ON scores (updated_at DESC, repository, number, state, at, band, author);
CREATE INDEX IF NOT EXISTS scores_by_creation
    ON scores (created_at DESC, repository, number, state, at, band, author);
CREATE INDEX IF NOT EXISTS scores_by_size
    ON scores (lines DESC, repository, number, state, at, band, author);
CREATE INDEX IF NOT EXISTS scores_by_repository
    ON scores (repository, risk DESC, number, state, at, band, author);
CREATE INDEX IF NOT EXISTS scores_open ON scores (repository, band) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS scores_by_time ON scores (at);
"""
_PUT: Final = f"INSERT OR REPLACE INTO scores VALUES ({', '.join('?' * 15)})"  # noqa: S608
_GET: Final = "SELECT payload FROM scores WHERE repository = ? AND number = ?"
_AMONG: Final = "WHERE (repository, number) IN (VALUES {})"
# One step of the recursion finds the next repository in the index, however many pulls it has.
_COUNTS: Final = """
WITH RECURSIVE names(name) AS (
    SELECT min(repository) FROM scores
    UNION ALL
    SELECT (SELECT min(repository) FROM scores WHERE repository > name)
    FROM names WHERE name IS NOT NULL
)
SELECT name, band, count FROM names LEFT JOIN (
    SELECT repository, coalesce(band, '') AS band, count(*) AS count
    FROM scores INDEXED BY scores_open WHERE state = 'open' GROUP BY repository, scores.band
) ON repository = name
WHERE name IS NOT NULL ORDER BY name
"""
_ORDER: Final[dict[Sort, str]] = {
    "risk": "risk", "updated": "updated_at", "created": "created_at", "size": "lines",
}  # fmt: skip
_CONDITIONS: Final = {
    "repository": "repository = :repository",
    "state": "state = :state",
    "band": "band = :band",
    "author": "author = :author",
    "since": "(state = 'open' OR at >= :since)",
    "repositories": "repository IN (SELECT value FROM json_each(:repositories))",
    "label": "instr(labels, :label)",
    "path": "instr(paths, :path)",
    "text": "instr(words, :text)",
}
_AT_ONCE: Final = 400
"""Keys in one query."""


class SqliteScores(SqliteTable):
    """A `ScoreTable` in one SQLite file; threads may share it, each process opens its own."""

    SCHEMA = _SCHEMA

    def put(self, scores: Iterable[PublishedScore]) -> None:
        """Keep them, in one transaction; see `ScoreTable.put`."""
        with self._transaction() as connection:
            for score in scores:
                row = connection.execute(_GET, score.key).fetchone()
                newer = next_score(None if row is None else decode(row[0]), score)
                if newer is not None:
                    connection.execute(_PUT, _row(newer))

    def get(self, repository: str, number: int) -> PublishedScore | None:
        """What was last said of one pull, or None."""
        rows = self._rows(_GET, (repository, number))
        return decode(rows[0][0]) if rows else None

    def page(self, query: ScoreQuery) -> ScorePage:
        """One page of a list; counts in an index unless words are searched."""
        where, values = _where(query)
        order = _ORDER[query.sort]
        rows = self._rows(
            f"SELECT payload FROM scores {where} "  # noqa: S608  (ours)
            f"ORDER BY {order} DESC, repository, number LIMIT {query.limit} OFFSET {query.offset}",
            values,
        )
        ((total,),) = self._rows(f"SELECT count(*) FROM scores {where}", values) or [(0,)]  # noqa: S608
        return ScorePage([decode(payload) for (payload,) in rows], total)

    def versions(self, keys: Sequence[Key]) -> dict[Key, tuple[datetime, str]]:
        """When the pulls were last updated, and the models that scored them."""
        versions: dict[Key, tuple[datetime, str]] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            among = _AMONG.format(", ".join(["(?, ?)"] * len(part)))
            rows = self._rows(
                f"SELECT repository, number, updated_at, model FROM scores {among}",  # noqa: S608
                [value for key in part for value in key],
            )
            versions |= {(name, number): (moment(at), model) for name, number, at, model in rows}
        return versions

    def counts(self) -> dict[str, dict[str, int]]:
        """How many open pulls each repository has by band."""
        counts: dict[str, dict[str, int]] = {}
        for repository, band, count in self._rows(_COUNTS):
            bands = counts.setdefault(repository, {})
            if band is not None:
                bands[band] = count
        return counts

    def newest(self) -> datetime | None:
        """The latest `at` of all."""
        rows = self._rows("SELECT max(at) FROM scores")
        return moment(rows[0][0]) if rows and rows[0][0] is not None else None


def _where(query: ScoreQuery) -> tuple[str, dict[str, object]]:
    names = query.repositories
    parameters: dict[str, object] = {
        "repository": query.repository,
        "state": query.state,
        "band": query.band,
        "author": query.author,
        "since": None if query.since is None else microseconds(query.since),
        "repositories": None if names is None else msgspec.json.encode(sorted(names)).decode(),
        "label": query.label and f"\n{query.label.casefold()}\n",
        "path": query.path and query.path.casefold(),
        "text": query.text and query.text.casefold(),
    }
    values = {name: value for name, value in parameters.items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in values)
    return f"WHERE {conditions}" if conditions else "", values


def _row(score: PublishedScore) -> tuple[object, ...]:
    return (
        score.repository,
        score.number,
        score.state,
        score.band,
        score.author,
        -1.0 if score.risk is None else score.risk,
        microseconds(score.at),
        microseconds(score.updated_at),
        microseconds(score.created_at),
        -1 if score.lines is None else score.lines,
        score.model,
        f"{score.title}\n{score.author or ''}".casefold(),
        "".join(f"\n{label.casefold()}\n" for label in score.labels),
        "\n".join(score.paths[:MOST_PATHS]).casefold(),
        encode(score),
    )
