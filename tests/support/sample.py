"""The bundled sample: its pull requests as lines, as records, and as GitHub describes them."""

import gzip
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pullrisk.pulls.record import Pull
from pullrisk.pulls.record_json import decode_line
from pullrisk.pulls.rest import rest_object_of

FOLDER = Path(__file__).parents[2] / "sample"
KEDRO = "kedro-org/kedro"
PUSH = b'"number":-'
"""Stands in the line of a direct push, and of no pull request."""


def sample_file(repository: str = KEDRO) -> Path:
    return FOLDER / f"{repository.replace('/', '__')}.jsonl.gz"


def sample_lines(count: int | None = None, *, repository: str = KEDRO) -> list[bytes]:
    """The lines of the first pull requests, without direct pushes."""
    return list(islice(_pull_lines(repository), count))


def latest_lines(count: int, *, repository: str = KEDRO) -> list[bytes]:
    """The lines of the latest pull requests, without direct pushes."""
    return list(deque(_pull_lines(repository), count))


def sample_pulls(count: int | None = None, *, repository: str = KEDRO) -> list[Pull]:
    """The records of the first pull requests."""
    return [decode_line(line) for line in sample_lines(count, repository=repository)]


def sample_objects(count: int | None = None, *, repository: str = KEDRO) -> list[dict[str, Any]]:
    """The first pull requests as REST objects."""
    return [rest_object_of(pull) for pull in sample_pulls(count, repository=repository)]


def _pull_lines(repository: str) -> Iterator[bytes]:
    with gzip.open(sample_file(repository)) as lines:
        yield from (line for line in lines if PUSH not in line[:80])
