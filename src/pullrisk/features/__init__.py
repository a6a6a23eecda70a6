"""Features of a pull request as a fold over its repository's history.

history.py   `RepositoryHistory`: `features(pull)` and `observe(pull)`; the schema of a row
replay.py    one row for every merged pull of a repository's events
change.py, repository.py, author.py, touched.py, text.py, likeness.py   the families
"""

from pullrisk.features.history import COMPILED, FEATURES, NAMES, SCHEMA_HASH, RepositoryHistory
from pullrisk.features.schema import Feature

__all__ = ["COMPILED", "FEATURES", "NAMES", "SCHEMA_HASH", "Feature", "RepositoryHistory"]
