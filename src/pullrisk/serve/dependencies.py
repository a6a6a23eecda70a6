"""What a service is made of, and what it answers with."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pullrisk.model.bundle import Bundle
from pullrisk.model.explain import explain
from pullrisk.model.metadata import OperatingPoints
from pullrisk.serve import shapes
from pullrisk.serve.keys import Keys
from pullrisk.serve.lastgood import LastGood
from pullrisk.serve.tracing import Tracing

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore
    from pullrisk.secrets import Secrets


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


def _always() -> bool:
    return True


class Dependencies(msgspec.Struct, frozen=True):
    """What a service is made of; `load_model` may take seconds and is called in a thread.

    `has_store` tells whether a pull store is configured. `secrets` are read anew if the store
    or the lake refuses the known ones. Without `admin` keys the service has no routes for
    administration.
    """

    lake: "Lake"
    store: "PullStore"
    load_model: Callable[[], LoadedModel]
    keys: Keys
    points: OperatingPoints | None = None
    secrets: "Secrets | None" = None
    last_good: LastGood | None = None
    tracing: Tracing | None = None
    admin: Keys | None = None
    has_store: Callable[[], bool] = _always


def warm(bundle: Bundle) -> None:
    """Run the model once, so that the first request does not pay for it."""
    rows = np.zeros((2, len(bundle.metadata.features)), np.float32)
    bundle.score(rows)
    explain(bundle, rows)
