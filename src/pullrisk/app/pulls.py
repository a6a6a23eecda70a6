"""A pull request as GitHub describes it now, as the record that the store keeps."""

from typing import Any

import msgspec

from pullrisk.errors import StoreError
from pullrisk.fetch.github.sync import State, States
from pullrisk.publish.api import Api, repository_path
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_FILES, Pull, parse_rest
from pullrisk.pulls.store import PullStore
from pullrisk.serve.webhook_events import Repository


async def read_pull(api: Api, repository: str, number: int, *, names: BotNames = NO_NAMES) -> Pull:
    """The pull request with its files and their patches, under its repository's present name.

    Raises a Failure, and StoreError if GitHub describes it in a way that cannot be read.
    """
    path = repository_path(repository, "pulls", number)
    described = await api.get(path, dict[str, Any])
    described["files"] = await api.pages(f"{path}/files", dict[str, Any], most=MAX_FILES)
    try:
        return parse_rest(msgspec.json.encode(described), repository=repository, names=names)
    except ValueError as error:
        raise StoreError(f"{repository}#{number} cannot be read: {error}") from None


class StoredNames:
    """Under which name the store has each repository: that of its first fetch.

    A repository is identified by GitHub's number for it, so a rename or a transfer does not split
    its history. `fetch` keeps the same register, in the checkpoints of the store.
    """

    def __init__(self, store: PullStore, host: str) -> None:
        self._store, self._states = store, States(store, host)

    def of(self, repository: Repository) -> str:
        """The name; registers a repository that is new, or has a new name. Raises StoreError."""
        state = self._states.by_id(repository.id)
        holder = self._states.by_name(repository.full_name)
        if state is None:
            name = repository.full_name
            if holder is not None:  # of one that was renamed: theirs must not mix
                name = f"{name}-{repository.id}"
            state = State(repository_id=repository.id, node_id=repository.node_id, name=name)
            self._store.upsert([], checkpoint=self._states.value(state))
            self._states.register(state)
        if holder is None:
            self._states.register(state, repository.full_name)
        return state.name


def stored_as(pull: Pull, name: str) -> Pull:
    """The pull under the store's name of its repository."""
    if pull.repository == name:
        return pull
    if pull.head_repository != pull.repository:
        return msgspec.structs.replace(pull, repository=name)
    return msgspec.structs.replace(
        pull, repository=name, head_repository=name, repository_names=(pull.repository,)
    )
