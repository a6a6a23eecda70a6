"""A pull request as GitHub describes it now, as the record that the store keeps."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from pullrisk.errors import StoreError
from pullrisk.fetch.github.failures import Failure
from pullrisk.fetch.github.sync import RepositoryState, RepositoryStates
from pullrisk.fetch.github.touched_lines import TouchedLines, with_origins
from pullrisk.publish.api import Api, repository_path
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import MAX_FILES, Pull
from pullrisk.pulls.rest import parse_rest
from pullrisk.pulls.rest_shapes import RestFile
from pullrisk.pulls.store import PullStore
from pullrisk.serve.webhook_events import Repository


class Described(NamedTuple):
    """A pull request with its files and their patches; `base` is the last commit of its branch."""

    pull: Pull
    files: list[RestFile]
    base: str | None


class _Base(msgspec.Struct):
    sha: str | None = None


class _Described(msgspec.Struct):
    files: list[RestFile]
    base: _Base


class _Commit(msgspec.Struct):
    sha: str


class _Compared(msgspec.Struct):
    merge_base_commit: _Commit


async def read_pull(
    api: Api, repository: str, number: int, *, names: BotNames = NO_NAMES
) -> Described:
    """The pull request, under its repository's present name.

    Raises a Failure, and StoreError if GitHub describes it in a way that cannot be read.
    """
    path = repository_path(repository, "pulls", number)
    described = await api.get(path, dict[str, Any])
    described["files"] = await api.pages(f"{path}/files", dict[str, Any], most=MAX_FILES)
    data = msgspec.json.encode(described)
    try:
        pull = parse_rest(data, repository=repository, names=names)
        parts = msgspec.json.decode(data, type=_Described)
    except ValueError as error:
        raise StoreError(f"{repository}#{number} cannot be read: {error}") from None
    return Described(pull, parts.files, parts.base.sha)


async def read_origins(
    api: Api, repository: str, described: Described, pull: Pull, numbers: Mapping[str, int]
) -> TouchedLines:
    """The stored pull with whose lines it touches; as it is where GitHub does not tell.

    `numbers` are the stored pulls and pushes by the commit that merged each.
    """
    base, head = described.base, described.pull.head_sha
    if base is None or head is None:
        return TouchedLines(pull, {})
    path = repository_path(repository, "compare", f"{base}...{head}")
    try:
        compared = await api.get(path, _Compared, per_page=1)
    except Failure:
        return TouchedLines(pull, {})
    return await with_origins(
        api,
        pull,
        described.files,
        repository=repository,
        commit=compared.merge_base_commit.sha,
        numbers=numbers,
    )


class StoredNames:
    """Under which name the store has each repository: that of its first fetch.

    A repository is identified by GitHub's number for it, so a rename or a transfer does not split
    its history. `fetch` keeps the same register, in the checkpoints of the store.
    """

    def __init__(self, store: PullStore, host: str) -> None:
        self._store, self._states = store, RepositoryStates(store, host)

    def of(self, repository: Repository) -> str:
        """The name; registers a repository that is new, or has a new name. Raises StoreError."""
        holder = self._states.by_name(repository.full_name)
        # A name is written after its state, so that whoever registers it meanwhile is no holder.
        state = self._states.by_id(repository.id)
        if state is None:
            name = repository.full_name
            if holder is not None:  # of one that was renamed: theirs must not mix
                name = f"{name}-{repository.id}"
            state = RepositoryState(
                repository_id=repository.id, node_id=repository.node_id, name=name
            )
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
