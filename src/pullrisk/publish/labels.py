"""The label of a pull's band; other labels are left alone."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from pullrisk.fetch.github.failures import NotFound
from pullrisk.model.bundle import Band
from pullrisk.publish.api import Api, repository_path
from pullrisk.repository_config.options import Labels
from pullrisk.repository_config.rules import BANDS

_MOST_LABELS: Final = 200
"""GitHub lets a pull have 100."""


class _Label(msgspec.Struct):
    name: str = ""


async def put_labels(
    api: Api, repository: str, number: int, labels: Labels, band: Band | None
) -> None:
    """Give the pull the label of its band and take its other ones away. Raises a Failure."""
    path = repository_path(repository, "issues", number, "labels")
    ours = [f"{labels.prefix}{each}" for each in BANDS]
    label = f"{labels.prefix}{band}" if band in labels.bands else None
    present = [each.name for each in await api.pages(path, _Label, most=_MOST_LABELS)]
    for name in _stale(ours, label, present):
        with suppress(NotFound):  # somebody took it away meanwhile
            await api.send("DELETE", repository_path(repository, "issues", number, "labels", name))
    if label and label.lower() not in [name.lower() for name in present]:
        await api.send("POST", path, {"labels": [label]})


def _stale(ours: Sequence[str], label: str | None, present: Sequence[str]) -> list[str]:
    """The own labels that the pull has and shall not have; case does not tell labels apart."""
    stale = {name.lower() for name in ours} - {(label or "").lower()}
    return [name for name in present if name.lower() in stale]
