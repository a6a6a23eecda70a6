"""From names, an organisation or a search to repositories, each known by its numeric id."""

from collections.abc import Sequence
from typing import Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github import documents
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.failures import Failure, Forbidden, NotFound
from pullrisk.fetch.github.lanes import Caller
from pullrisk.fetch.github.parse import present
from pullrisk.fetch.github.shapes import Repository
from pullrisk.fetch.github.state import State, States
from pullrisk.fetch.github.wire import Connection
from pullrisk.pulls.record import repository_name

AT_ONCE: Final = 100
"""Repositories looked at in one call, which costs one point."""
SEARCH_DEPTH: Final = 1_000
"""GitHub lists no more of a search."""


class Opened(msgspec.Struct):
    """A repository ready to be fetched, what GitHub says of it now, and what to tell."""

    state: State
    seen: Repository
    notes: list[str] = []


async def look(client: Client, states: Sequence[State]) -> dict[int, Repository]:
    """Numeric id → what GitHub says of the repository now; deleted and hidden ones are absent.

    One call for a hundred repositories. Raises InputError, SettingsError.
    """
    seen: dict[int, Repository] = {}
    for start in range(0, len(states), AT_ONCE):
        missing = list(states[start : start + AT_ONCE])
        caller = Caller()
        while missing and len(caller.barred) < len(client.lanes.all):
            ids = [state.node_id for state in missing]
            answer = await client.query(documents.IDENTIFIED, {"ids": ids}, caller=caller)
            found = [each for each in answer.data.nodes or () if each is not None]
            seen |= {each.database_id: each for each in found if each.database_id is not None}
            missing = [state for state in missing if state.repository_id not in seen]
            if answer.lane in caller.barred:
                break
            caller.barred.add(answer.lane)  # another may see what this one does not
    return seen


async def open_repository(
    client: Client, states: States, name: str, *, seen: dict[int, Repository], caller: Caller
) -> Opened:
    """The repository of this name, also where it was renamed or transferred since.

    `seen` is what `look` found. Raises InputError where it is unknown, deleted, hidden, or
    where its name now belongs to another.
    """
    known = states.by_name(name)
    if known is not None and known.repository_id in seen:
        return await _followed(client, known, name, seen[known.repository_id], caller)
    found = await find(client, name, caller)
    return _introduced(states, name, found)


async def find(client: Client, name: str, caller: Caller) -> Repository:
    """What GitHub has under the name. Raises InputError."""
    owner, _, short = _checked(name).partition("/")
    try:
        answer = await client.query(documents.NAMED, {"owner": owner, "name": short}, caller=caller)
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


async def owned(client: Client, login: str, *, limit: int | None) -> list[Repository]:
    """Repositories of an organisation or a user, most starred first. Raises InputError."""
    found: list[Repository] = []
    after: str | None = None
    while limit is None or len(found) < limit:
        variables = {"login": login, "first": AT_ONCE, "after": after}
        try:
            answer = await client.query(documents.OWNED, variables, caller=Caller())
        except Failure as failure:
            raise InputError(f"organisation {login}: {failure}") from None
        if answer.data.repository_owner is None:
            raise InputError(
                f"organisation {login}: GitHub knows no such owner", hint="check the name"
            )
        page = answer.data.repository_owner.repositories or Connection()
        found += present(page)
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    return found[:limit]


async def searched(client: Client, query: str, *, limit: int) -> list[Repository]:
    """Repositories that the search finds, in its order. Raises InputError."""
    found: list[Repository] = []
    after: str | None = None
    while len(found) < min(limit, SEARCH_DEPTH):
        variables = {"query": query, "first": AT_ONCE, "after": after}
        try:
            answer = await client.query(documents.FOUND, variables, caller=Caller())
        except Failure as failure:
            raise InputError(f"search {query!r}: {failure}") from None
        page = answer.data.search or Connection()
        found += present(page)
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    return found[:limit]


async def _followed(
    client: Client, state: State, name: str, seen: Repository, caller: Caller
) -> Opened:
    """A repository fetched before, under whatever name it has now."""
    now = seen.name_with_owner or name
    opened = Opened(state, seen)
    if now.lower() == name.lower():
        return opened
    opened.notes.append(f"{name} is {now} now; its pulls stay stored under {state.name}")
    try:
        other = await find(client, name, caller)
    except InputError:
        return opened
    if other.database_id != state.repository_id:
        opened.notes.append(f"another repository (id {other.database_id}) is called {name} now")
    return opened


def _introduced(states: States, name: str, found: Repository) -> Opened:
    """A repository found by name: one stored before by another name, or a new one."""
    repository_id, node_id = found.database_id, found.id
    if repository_id is None or node_id is None:
        raise InputError(f"{name}: GitHub does not tell its id")
    stored_as = _checked(found.name_with_owner or name)
    state = states.by_id(repository_id)
    for each in (name, state.name if state else stored_as):
        holder = states.by_name(each)
        if holder is not None and holder.repository_id != repository_id:
            raise InputError(
                f"{each} was repository {holder.repository_id}, which is gone; GitHub has "
                f"another one (id {repository_id}) under this name now",
                hint="what is stored stays; fetch the new one into another store (--home)",
            )
    opened = Opened(
        state or State(repository_id=repository_id, node_id=node_id, name=stored_as), found
    )
    opened.state.node_id = node_id
    if opened.state.name.lower() != name.lower():
        opened.notes.append(f"{name} is stored under {opened.state.name}")
    states.introduce(opened.state, name)
    return opened


def _checked(name: str) -> str:
    try:
        return repository_name(name)
    except ValueError:
        raise InputError(
            f"{name!r} is no repository name", hint="expected owner/name, as on GitHub"
        ) from None
