"""Tells a pull its score: one comment that is found again and updated, and labels of its own."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from pullrisk.action.api import Api
from pullrisk.action.change import MOST_BYTES, Told, hide, reveal
from pullrisk.model.bundle import Band
from pullrisk.repository_config.options import BandName, From, Labels

MARKER: Final = "<!-- pullrisk: brief -->"
WORKFLOW: Final = "github-actions[bot]"
"""Who writes with the token of a workflow."""
MOST_COMMENT: Final = 60_000
"""Characters of a comment; GitHub takes 65,536."""
_DATA: Final = re.compile(r"<!-- pullrisk: told ([\w=-]+) -->", re.ASCII)
_ORDER: Final[tuple[BandName, ...]] = ("low", "elevated", "high")


class _User(msgspec.Struct):
    login: str = ""


class Comment(msgspec.Struct, frozen=True):
    """A comment of an issue, as the API lists it."""

    id: int
    body: str | None = None
    user: _User | None = None


class _Label(msgspec.Struct):
    name: str = ""


def reaches(band: Band | None, start: From | str) -> bool:
    """Whether a pull in a band (None: no score) is one for which something is done from `start`."""
    if start in ("off", "never") or band is None:
        return False
    return start == "always" or _ORDER.index(band) >= _ORDER.index(start)


def own_comment(api: Api, number: int) -> Comment | None:
    """The comment that pullrisk wrote before, by its marker and its author. Raises ApiError.

    What others wrote around a copied marker is neither believed nor touched.
    """
    author = api.login() or WORKFLOW
    for comment in api.pages(f"/issues/{number}/comments", Comment):
        is_own = comment.user is not None and comment.user.login == author
        if is_own and (comment.body or "").startswith(MARKER):
            return comment
    return None


def told_in(comment: Comment | None) -> Told | None:
    """What the comment told, from the data hidden in it."""
    if comment is None:
        return None
    match = _DATA.search((comment.body or "")[: MOST_BYTES + len(MARKER) + 100])
    return reveal(match[1]) if match else None


def put_comment(api: Api, number: int, existing: Comment | None, *, text: str, what: Told) -> None:
    """Write the comment, or bring the existing one up to date. Raises ApiError."""
    head = f"{MARKER}\n<!-- pullrisk: told {hide(what)} -->\n"
    body = {"body": head + text[: MOST_COMMENT - len(head)]}
    if existing is None:
        api.send("POST", f"/issues/{number}/comments", body)
    elif existing.body != body["body"]:
        api.send("PATCH", f"/issues/comments/{existing.id}", body)


def put_labels(api: Api, number: int, labels: Labels, band: Band | None) -> None:
    """Give the pull the label of its band and take its other ones away. Raises ApiError."""
    own = [f"{labels.prefix}{each}" for each in _ORDER]
    wanted = f"{labels.prefix}{band}" if band in labels.bands else None
    held = [each.name for each in api.pages(f"/issues/{number}/labels", _Label)]
    for name in _without(own, wanted, held):
        api.send("DELETE", f"/issues/{number}/labels/{quote(name, safe='')}")
    if wanted and wanted.lower() not in [name.lower() for name in held]:
        api.send("POST", f"/issues/{number}/labels", {"labels": [wanted]})


def _without(own: Sequence[str], wanted: str | None, held: Sequence[str]) -> list[str]:
    """The own labels that the pull has and shall not have; case does not tell labels apart."""
    stale = {name.lower() for name in own} - {(wanted or "").lower()}
    return [name for name in held if name.lower() in stale]
