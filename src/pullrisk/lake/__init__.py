"""The lake: one Delta table of features, and each repository's history, in a folder or on S3.

table.py     `Lake`: reads the table and the histories at one version
log.py       Delta's log as readers need it, without delta-rs
commit.py    one run as one atomic Delta commit by delta-rs, against concurrent runs
writer.py    streams blocks of rows into Parquet files
schema.py    the columns, and the identity (layout, feature schema) written into the table
objects.py   histories, and which pulls each has consumed, as sealed objects beside the table
files.py     every access to a file, in a folder or a bucket
s3.py        how a bucket is reached, and what its errors mean

A run writes its Parquet files and objects first; only its commit makes them visible. What a
killed run leaves behind is invisible, and `Lake.vacuum` deletes it.
"""

from pullrisk.errors import needs_extra

with needs_extra("lake"):
    import pyarrow as _pyarrow  # noqa: F401  # needed by every module below; deltalake to write

from pullrisk.lake.delta import Change
from pullrisk.lake.objects import DamagedObjectError
from pullrisk.lake.table import Lake
from pullrisk.lake.writer import AddedFile, FeatureWriter

__all__ = [
    "AddedFile",
    "Change",
    "DamagedObjectError",
    "FeatureWriter",
    "Lake",
]
