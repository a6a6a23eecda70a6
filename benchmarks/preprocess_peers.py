"""The same kind of features in DuckDB and in Polars: what a window function can say of the past.

15 of the features, over Parquet files that are made for them: what a repository, an author and a
touched file had seen before the pull. Left out is what these engines cannot say without code of
their own: links between pulls, text, decaying averages, directories, saved histories.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from peers import make_importable
from pullrisk.pulls.sqlite import SqliteStore

if TYPE_CHECKING:
    from pullrisk.pulls.record import Pull

_BATCH = 5_000
_ENGINES = ("engines", "duckdb==2.0.0", "polars==2.1.0")
"""Their environment, which pullrisk itself needs nothing of."""
COLUMNS = [
    "id", "additions", "deletions", "changed_files",
    "repository_pulls", "repository_mean_additions", "repository_hours",
    "author_pulls", "author_hours",
    "touches_mean", "touches_max", "touched_hours", "own_touches", "file_authors_mean",
    "new_files", "test_share",
]  # fmt: skip

SQL = """
create temp table touches as
select p.id, p.repository, p.author, p.merged_at, f.path,
       f.path like '%test%' as is_test
from read_parquet('{folder}/files.parquet') f
join read_parquet('{folder}/pulls.parquet') p using (id);

create temp table touched as
select id, is_test,
       row_number() over file - 1 as touches,
       merged_at - lag(merged_at) over file as since,
       row_number() over own - 1 as own,
       sum(first_of_author) over file - first_of_author as authors
from (
    select *, (row_number() over own = 1)::int as first_of_author
    from touches
    window own as (partition by repository, path, author order by merged_at, id)
)
window file as (partition by repository, path order by merged_at, id),
       own as (partition by repository, path, author order by merged_at, id);

copy (
    select p.id, p.additions, p.deletions, p.changed_files,
           row_number() over r - 1 as repository_pulls,
           avg(p.additions) over (r rows between unbounded preceding and 1 preceding)
               as repository_mean_additions,
           (p.merged_at - lag(p.merged_at) over r) / 3600e6 as repository_hours,
           row_number() over a - 1 as author_pulls,
           (p.merged_at - lag(p.merged_at) over a) / 3600e6 as author_hours,
           t.touches_mean, t.touches_max, t.touched_hours, t.own_touches, t.file_authors_mean,
           t.new_files, t.test_share
    from read_parquet('{folder}/pulls.parquet') p left join (
        select id, avg(touches) as touches_mean, max(touches) as touches_max,
               min(since) / 3600e6 as touched_hours, sum(own) as own_touches,
               avg(authors) as file_authors_mean, sum((touches = 0)::int) as new_files,
               avg(is_test::int) as test_share
        from touched group by id
    ) t using (id)
    window r as (partition by p.repository order by p.merged_at, p.id),
           a as (partition by p.repository, p.author order by p.merged_at, p.id)
) to '{out}' (format parquet, compression zstd);
"""


def run_duckdb(folder: Path, out: Path, *, threads: int) -> None:
    """The features of `folder`'s pulls, as a Parquet file."""
    make_importable(*_ENGINES)
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute(SQL.format(folder=folder, out=out))


def run_polars(folder: Path, out: Path) -> None:
    """Likewise; threads by POLARS_MAX_THREADS."""
    make_importable(*_ENGINES)
    import polars as pl

    pulls = pl.read_parquet(folder / "pulls.parquet").sort("repository", "merged_at", "id")
    files = pl.read_parquet(folder / "files.parquet")
    keys = pulls.select("id", "repository", "author", "merged_at")
    file, own = ["repository", "path"], ["repository", "path", "author"]
    touched = (
        files.select("id", "path")
        .join(keys, on="id")
        .sort("merged_at", "id")
        .with_columns(
            touches=pl.int_range(pl.len()).over(file),
            since=pl.col("merged_at").diff().over(file),
            own=pl.int_range(pl.len()).over(own),
        )
        .with_columns(first=(pl.col("own") == 0).cast(pl.Int64))
        .with_columns(authors=pl.col("first").cum_sum().over(file) - pl.col("first"))
        .group_by("id")
        .agg(
            touches_mean=pl.col("touches").mean(),
            touches_max=pl.col("touches").max(),
            touched_hours=pl.col("since").min() / 3600e6,
            own_touches=pl.col("own").sum(),
            file_authors_mean=pl.col("authors").mean(),
            new_files=(pl.col("touches") == 0).sum(),
            test_share=pl.col("path").str.contains("test", literal=True).mean(),
        )
    )
    author, before = ["repository", "author"], pl.int_range(pl.len()).over("repository")
    rows = pulls.with_columns(
        repository_pulls=before,
        repository_mean_additions=(
            pl.col("additions").cum_sum().over("repository") - pl.col("additions")
        )
        / pl.when(before > 0).then(before),
        repository_hours=pl.col("merged_at").diff().over("repository") / 3600e6,
        author_pulls=pl.int_range(pl.len()).over(author),
        author_hours=pl.col("merged_at").diff().over(author) / 3600e6,
    )
    rows.join(touched, on="id", how="left").select(COLUMNS).write_parquet(out, compression="zstd")


def make(folder: Path, made: "Iterator[Pull]") -> None:
    """The store, and the Parquet files for the peers."""
    writers: list[pq.ParquetWriter] = []
    first = 0
    with SqliteStore(folder / "pulls.sqlite") as store:
        while batch := list(islice(made, _BATCH)):
            store.upsert(batch)
            tables = _tables(batch, first)
            if not writers:
                names = ("pulls", "files")
                writers = [
                    pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                    for name, table in zip(names, tables, strict=True)
                ]
            for writer, table in zip(writers, tables, strict=True):
                writer.write_table(table)
            first += len(batch)
    for writer in writers:
        writer.close()


def _tables(batch: "list[Pull]", first: int) -> tuple[pa.Table, pa.Table]:
    """The batch as tables of pulls and of files."""
    merged = [int(pull.merged_at.timestamp() * 1e6) if pull.merged_at else 0 for pull in batch]
    pulls = {
        "id": list(range(first, first + len(batch))),
        "repository": [pull.repository for pull in batch],
        "author": [pull.author for pull in batch],
        "merged_at": merged,
        "additions": [pull.additions for pull in batch],
        "deletions": [pull.deletions for pull in batch],
        "changed_files": [pull.changed_files for pull in batch],
    }
    touched = [
        (first + row, file.path) for row, pull in enumerate(batch) for file in pull.files or ()
    ]
    return pa.table(pulls), pa.table(
        {"id": [row for row, _ in touched], "path": [path for _, path in touched]}
    )
