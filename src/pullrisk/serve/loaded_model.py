"""The model that answers, and the one that answered last, in a file that all workers share.

A worker that replaces a killed one goes on with that file while the registry is away or names a
model that cannot be used.
"""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pullrisk import atomic
from pullrisk.model.bundle import Bundle
from pullrisk.serve import shapes

NAME: Final = "last-good-model"


class LoadedModel(msgspec.Struct, frozen=True):
    """A model that answers: its bundle, its file's digest, and where it came from.

    `registered` is its version in the registry, None where it came from a file.
    """

    bundle: Bundle
    version: str
    source: str
    loaded_at: datetime
    registered: str | None = None

    @property
    def name(self) -> shapes.ModelName:
        """What each answer says of it."""
        return shapes.ModelName(self.version, self.bundle.metadata.schema_hash, self.registered)


def warm(bundle: Bundle) -> None:
    """Run the model once, so that the first request does not pay for it."""
    rows = np.zeros((2, len(bundle.metadata.features)), np.float32)
    bundle.score(rows)


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    version: str
    source: str
    loaded_at: datetime
    registered: str | None
    data: bytes


class LastGood:
    """Keeps one model in a folder that all workers share."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def keep(self, model: LoadedModel) -> None:
        """Save it, atomically; if the disk is full, the one before stays."""
        data = model.bundle.data
        saved = _Saved(model.version, model.source, model.loaded_at, model.registered, data)
        with suppress(OSError):
            atomic.replace(self._path, msgspec.msgpack.encode(saved))

    def load(self) -> LoadedModel | None:
        """The model that was saved; None if none was. Raises ModelError."""
        try:
            saved = msgspec.msgpack.decode(self._path.read_bytes(), type=_Saved)
        except OSError:
            return None
        bundle = Bundle.of(saved.data, source=saved.source)
        return LoadedModel(bundle, saved.version, saved.source, saved.loaded_at, saved.registered)
