"""Look up repositories on GitHub: by name, by numeric id, of an owner, or by a search."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github import documents
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.documents import OwnedData, Repository
from pullrisk.fetch.github.failures import Failure, Forbidden, NotFound
from pullrisk.fetch.github.graphql import Connection, Data, Document, present
from pullrisk.fetch.github.slots import Caller
from pullrisk.fetch.github.sync import RepositoryState, RepositoryStates
from pullrisk.pulls.record import checked_name

D = TypeVar("D", bound=Data)

AT_ONCE: Final = 100
"""Repositories in one call, which costs one point."""
SEARCH_DEPTH: Final = 1_000
"""The most repositories that GitHub lists of a search."""


class OpenedRepository(msgspec.Struct):
    """A repository to fetch: its checkpoint, GitHub's current answer, and notes for people."""

    state: RepositoryState
    current: Repository
    notes: list[str] = []


async def lookup_repositories(
    client: Client, states: Sequence[RepositoryState]
) -> dict[int, Repository]:
    """Ask for the current state of known repositories, in one call for a hundred of them.

    Returns numeric id → repository; deleted and hidden ones are missing. Raises InputError,
    SettingsError.
    """
    current: dict[int, Repository] = {}
    for start in range(0, len(states), AT_ONCE):
        missing = list(states[start : start + AT_ONCE])
        caller = Caller()
        while missing and len(caller.excluded) < len(client.pool.slots):
            ids = [state.node_id for state in missing]
            answer = await client.query(documents.REPOSITORIES, {"ids": ids}, caller=caller)
            current |= {
                repository.database_id: repository
                for repository in answer.data.nodes or ()
                if repository is not None and repository.database_id is not None
            }
            missing = [state for state in missing if state.repository_id not in current]
            if answer.slot in caller.excluded:
                break
            caller.excluded.add(answer.slot)  # another may see what this one does not
    return current


async def open_repository(
    client: Client,
    states: RepositoryStates,
    name: str,
    *,
    current: dict[int, Repository],
    caller: Caller,
) -> OpenedRepository:
    """The repository of this name, even if it was renamed or transferred since the last fetch.

    `current` is the answer of `lookup_repositories`. Raises InputError if the repository is
    unknown, deleted or hidden, or if another repository has its name now.
    """
    known = states.by_name(name)
    if known is not None and known.repository_id in current:
        return await _open_known(client, known, name, current[known.repository_id], caller)
    return _open_new(states, name, await find_repository(client, name, caller))


async def find_repository(client: Client, name: str, caller: Caller) -> Repository:
    """The repository that GitHub has under the name. Raises InputError."""
    owner, _, short = checked_name(name).partition("/")
    try:
        answer = await client.query(
            documents.REPOSITORY, {"owner": owner, "name": short}, caller=caller
        )
    except NotFound:
        raise InputError(
            f"{name}: GitHub knows no such repository, or the token may not see it",
            hint="check the name; a private repository needs a token with the scope `repo`",
        ) from None
    except Forbidden as failure:
        raise InputError(
            f"{name}: {failure}",
            hint="the token needs to read pull requests: the scope `repo`, or of a fine-grained "
            "token the permission `Pull requests: read`; with SAML it has to be authorised",
        ) from None
    except Failure as failure:
        raise InputError(f"{name}: {failure}") from None
    if answer.data.repository is None:
        raise InputError(f"{name}: GitHub does not show it and does not say why")
    return answer.data.repository


async def list_owned(client: Client, login: str, *, limit: int | None) -> list[str]:
    """The names of an owner's repositories, most stars first. Raises InputError."""

    def page_of(data: OwnedData) -> Connection[Repository] | None:
        if data.repository_owner is None:
            raise InputError(
                f"organisation {login}: GitHub knows no such owner", hint="check the name"
            )
        return data.repository_owner.repositories

    try:
        return await _list(client, documents.OWNED, {"login": login}, page_of, limit=limit)
    except Failure as failure:
        raise InputError(f"organisation {login}: {failure}") from None


async def search_repositories(client: Client, query: str, *, limit: int) -> list[str]:
    """The names of the first repositories that match, in GitHub's order. Raises InputError."""
    limit = min(limit, SEARCH_DEPTH)
    try:
        return await _list(
            client, documents.SEARCH, {"query": query}, lambda data: data.search, limit=limit
        )
    except Failure as failure:
        raise InputError(f"search {query!r}: {failure}") from None


async def _list(
    client: Client,
    document: Document[D],
    variables: dict[str, object],
    page_of: Callable[[D], Connection[Repository] | None],
    *,
    limit: int | None,
) -> list[str]:
    """Names of the repositories on the document's pages, at most `limit`. Raises a Failure."""
    repositories: list[Repository] = []
    variables = variables | {"first": AT_ONCE, "after": None}
    while limit is None or len(repositories) < limit:
        answer = await client.query(document, variables, caller=Caller())
        page = page_of(answer.data) or Connection()
        repositories += present(page)
        variables["after"] = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    return [found.name_with_owner for found in repositories[:limit] if found.name_with_owner]


async def _open_known(
    client: Client, state: RepositoryState, name: str, current: Repository, caller: Caller
) -> OpenedRepository:
    """A repository that was fetched before, perhaps under another name."""
    new_name = current.name_with_owner or name
    opened = OpenedRepository(state, current)
    if new_name.lower() == name.lower():
        return opened
    opened.notes.append(f"{name} is {new_name} now; its pulls stay stored under {state.name}")
    try:
        other = await find_repository(client, name, caller)
    except InputError:
        return opened
    if other.database_id != state.repository_id:
        opened.notes.append(f"another repository (id {other.database_id}) is called {name} now")
    return opened


def _open_new(states: RepositoryStates, name: str, current: Repository) -> OpenedRepository:
    """A repository that is not stored under this name: a new one, or one with another name."""
    repository_id, node_id = current.database_id, current.id
    if repository_id is None or node_id is None:
        raise InputError(f"{name}: GitHub does not tell its id")
    stored_as = checked_name(current.name_with_owner or name)
    state = states.by_id(repository_id)
    for taken_name in (name, state.name if state else stored_as):
        holder = states.by_name(taken_name)
        if holder is not None and holder.repository_id != repository_id:
            raise InputError(
                f"{taken_name} was repository {holder.repository_id}, which is gone; GitHub has "
                f"another one (id {repository_id}) under this name now",
                hint="what is stored stays; fetch the new one into another store (--home)",
            )
    opened = OpenedRepository(
        state or RepositoryState(repository_id=repository_id, node_id=node_id, name=stored_as),
        current,
    )
    opened.state.node_id = node_id
    if opened.state.name.lower() != name.lower():
        opened.notes.append(f"{name} is stored under {opened.state.name}")
    states.register(opened.state, name)
    return opened
