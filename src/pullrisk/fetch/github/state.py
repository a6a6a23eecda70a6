"""How far each repository is fetched: what its checkpoint holds, and names that lead to it."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from pullrisk.fetch.github.paging import Paging
from pullrisk.pulls.store import PullStore

READER: Final = 1
"""Part of the checkpoint: raise it when the reader learns to read more of old pulls."""


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One repository's checkpoint. Its identity is GitHub's numeric id, never its name.

    `name` is what its pulls are stored under: the first name it was fetched by, so that a
    rename does not tear its history apart. `cursor` and `started_at` belong to the pass under
    way; `watermark` is when the last whole pass started, None before the backfill is done.
    `done` counts pulls of the backfill; `newest` is the last update that was seen.
    """

    repository_id: int
    node_id: str
    name: str
    reader: int = READER
    phase: Literal["backfill", "scan", "rest"] = "backfill"
    cursor: str | None = None
    started_at: datetime | None = None
    watermark: datetime | None = None
    done: int = 0
    newest: datetime | None = None
    paging: Paging = msgspec.field(default_factory=Paging)


class States:
    """The checkpoints of all repositories of one GitHub in a store."""

    def __init__(self, store: PullStore, host: str) -> None:
        self._store = store
        self._prefix = f"github:{host}"

    def key(self, state: State) -> str:
        """Under which key a repository's checkpoint stands."""
        return f"{self._prefix}:{state.repository_id}"

    def value(self, state: State) -> tuple[str, dict[str, object]]:
        """Key and value, as `PullStore.upsert` takes a checkpoint."""
        return self.key(state), msgspec.to_builtins(state)

    def by_id(self, repository_id: int) -> State | None:
        """The state of a repository, None where it was never fetched.

        One that an older reader left keeps its identity and begins its backfill again.
        """
        saved = self._store.checkpoint(f"{self._prefix}:{repository_id}")
        if saved is None:
            return None
        state = msgspec.convert(saved, State)
        if state.reader == READER:
            return state
        return State(repository_id=state.repository_id, node_id=state.node_id, name=state.name)

    def by_name(self, name: str) -> State | None:
        """The state of the repository that was fetched by this name before."""
        saved = self._store.checkpoint(self._name_key(name))
        repository_id = (saved or {}).get("repository_id")
        return self.by_id(repository_id) if isinstance(repository_id, int) else None

    def introduce(self, state: State, *names: str) -> None:
        """Remember a repository that is fetched for the first time, or by a new name."""
        for name in {state.name, *names}:
            checkpoint = (self._name_key(name), {"repository_id": state.repository_id})
            self._store.upsert([], checkpoint=checkpoint)

    def _name_key(self, name: str) -> str:
        return f"{self._prefix}:{name.lower()}"
