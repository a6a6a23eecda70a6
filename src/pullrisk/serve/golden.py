"""Golden predictions: what one exact model answers about a few pull requests, written down.

The pull requests are merged ones of a repository that no lake knows, so that the answers depend
on the model and the code alone: neither on the lake nor on the time of asking.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import astuple

from pullrisk.errors import InputError
from pullrisk.features import RepositoryHistory
from pullrisk.pulls.formats import rest_object
from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest
from pullrisk.serve.models import LoadedModel
from pullrisk.serve.row_scorer import raw_scores
from pullrisk.serve.shapes import RawScore

REPOSITORY: Final = "golden/predictions"
"""The repository that the pull requests are said to be of."""
TOLERANCE: Final = 1e-4
"""Largest relative difference of two answers: other processors round otherwise."""
_LONGEST: Final = 16_000
"""Bytes of a pull request that is taken; what is written stands in Git."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model as a service should show it: by what name it is pinned, its exact version and
    schema, and its answers to pull requests as GitHub's REST API describes them.
    """

    pinned: str
    version: str
    schema_hash: str
    pulls: list[dict[str, Any]]
    answers: list[RawScore]


def record(model: LoadedModel, *, pinned: str, lines: Iterable[bytes], count: int) -> Golden:
    """The answers of `model` to the first `count` merged pulls of `lines`.

    A line is a REST object, or a record that becomes one. Raises InputError where there are fewer.
    """
    pulls = list(islice(_renamed(lines), count))
    if len(pulls) < count:
        raise InputError(
            f"only {len(pulls)} of {count} pull requests are merged and short enough",
            hint="name more files with --file, or ask for fewer with --count",
        )
    answers = predictions(model, [parse_rest(msgspec.json.encode(pull)) for pull in pulls])
    return Golden(pinned, model.version, model.bundle.metadata.schema_hash, pulls, answers)


def predictions(model: LoadedModel, pulls: Sequence[Pull]) -> list[RawScore]:
    """The model's answers to merged pulls of a repository without a history."""
    rows = [
        RepositoryHistory(pull.repository).features(pull, as_of=pull.event_at)
        for pull in pulls
        if pull.event_at is not None
    ]
    return raw_scores(model.bundle.score(np.array(rows, np.float32), REPOSITORY))


def differs(expected: RawScore, actual: RawScore) -> bool:
    """Whether two answers are not the same, rounding apart."""
    pairs = zip(astuple(expected), astuple(actual), strict=True)
    return not all(_is_close(*pair) for pair in pairs)


def _is_close(expected: float | None, actual: float | None) -> bool:
    if expected is None or actual is None:
        return expected is actual
    return math.isclose(expected, actual, rel_tol=TOLERANCE, abs_tol=1e-9)


def _renamed(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if len(line) > _LONGEST:
            continue
        try:
            pull = rest_object(line)
            if pull is None:
                continue
            pull["base"]["repo"]["full_name"] = REPOSITORY
            merged = parse_rest(msgspec.json.encode(pull)).merged_at is not None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"pull request {number} cannot be read: {error}") from None
        if merged:
            yield pull
