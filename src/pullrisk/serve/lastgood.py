"""The model that answered last, saved in a file that all workers share.

A worker that replaces a killed one goes on with it while the registry is away or names a model
that cannot be used.
"""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk import atomic

if TYPE_CHECKING:
    from pullrisk.serve.dependencies import LoadedModel

NAME: Final = "last-good-model"


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

    def keep(self, model: "LoadedModel") -> None:
        """Save it, atomically; if the disk is full, the one before stays."""
        data = model.bundle.data
        saved = _Saved(model.version, model.source, model.loaded_at, model.registered, data)
        with suppress(OSError):
            atomic.replace(self._path, msgspec.msgpack.encode(saved))

    def load(self) -> "LoadedModel | None":
        """The model that was saved; None if none was. Raises ModelError."""
        from pullrisk.model.bundle import Bundle
        from pullrisk.serve.dependencies import LoadedModel

        try:
            saved = msgspec.msgpack.decode(self._path.read_bytes(), type=_Saved)
        except OSError:
            return None
        bundle = Bundle.of(saved.data, source=saved.source)
        return LoadedModel(bundle, saved.version, saved.source, saved.loaded_at, saved.registered)
