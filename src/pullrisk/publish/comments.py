"""One comment at a pull, which is found again by its hidden marker and updated in place."""

import re
from typing import Final

import msgspec

from pullrisk.publish.api import Api, repository_path
from pullrisk.publish.change import MOST_BYTES, Snapshot, decode, encode

MARKER: Final = "<!-- pullrisk: brief -->"
MOST_COMMENT: Final = 60_000
"""Characters of a comment; GitHub takes 65,536."""
_MOST_COMMENTS: Final = 3_000
"""Comments of a pull among which the own one is looked for."""
_DATA: Final = re.compile(r"<!-- pullrisk: told ([\w=-]+) -->", re.ASCII)


class _User(msgspec.Struct):
    login: str = ""


class Comment(msgspec.Struct, frozen=True):
    """A comment of an issue, as the API lists it."""

    id: int
    body: str | None = None
    user: _User | None = None


async def own_comment(api: Api, repository: str, number: int, *, author: str) -> Comment | None:
    """The comment that the author wrote before, by its marker. Raises a Failure.

    What others wrote around a copied marker is neither believed nor touched.
    """
    path = repository_path(repository, "issues", number, "comments")
    for comment in await api.pages(path, Comment, most=_MOST_COMMENTS):
        is_own = comment.user is not None and comment.user.login == author
        if is_own and (comment.body or "").startswith(MARKER):
            return comment
    return None


def snapshot_in(comment: Comment | None) -> Snapshot | None:
    """What the comment told, from the data hidden in it."""
    if comment is None:
        return None
    match = _DATA.search((comment.body or "")[: MOST_BYTES + len(MARKER) + 100])
    return decode(match[1]) if match else None


async def put_comment(
    api: Api,
    repository: str,
    number: int,
    existing: Comment | None,
    *,
    text: str,
    snapshot: Snapshot,
) -> None:
    """Write the comment, or bring the existing one up to date. Raises a Failure."""
    head = f"{MARKER}\n<!-- pullrisk: told {encode(snapshot)} -->\n"
    body = {"body": head + text[: MOST_COMMENT - len(head)]}
    if existing is None:
        await api.send("POST", repository_path(repository, "issues", number, "comments"), body)
    elif existing.body != body["body"]:
        path = repository_path(repository, "issues", "comments", existing.id)
        await api.send("PATCH", path, body)
