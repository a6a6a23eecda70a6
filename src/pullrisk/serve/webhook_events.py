"""Which of GitHub's events the App handles, and what it reads of their payloads."""

from typing import Annotated, Final

import msgspec

PULL_ACTIONS: Final = frozenset(
    {
        "opened", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "edited",
        "labeled", "unlabeled", "closed",
    }
)  # fmt: skip
INSTALLATION_EVENTS: Final = frozenset(
    {"installation", "installation_repositories", "installation_target"}
)
"""The last one tells that the account was renamed, and so each of its repositories."""
REPOSITORY_ACTIONS: Final = frozenset({"renamed", "transferred"})
PREFIX: Final = "/pullrisk"
"""How a comment begins that is a command."""

_Id = Annotated[int, msgspec.Meta(gt=0, lt=2**53)]


class Account(msgspec.Struct, frozen=True):
    """Who did it."""

    login: str
    type: str | None = None


class Repository(msgspec.Struct, frozen=True):
    """A repository under its present name; the id never changes."""

    id: _Id
    full_name: str
    node_id: str = ""


class Installation(msgspec.Struct, frozen=True):
    """An installation of the App."""

    id: _Id


class Numbered(msgspec.Struct, frozen=True):
    """A pull request, or an issue; `pull_request` is an issue's own mark of being one."""

    number: _Id
    pull_request: dict[str, object] | None = None


class Comment(msgspec.Struct, frozen=True):
    """A comment at a pull request; the user is None if the account was deleted."""

    id: _Id
    body: str | None = None
    user: Account | None = None


class MergeGroup(msgspec.Struct, frozen=True):
    """What a merge queue is about to merge."""

    head_sha: str


class Payload(msgspec.Struct, frozen=True):
    """What is read of a payload; each event has its own part of it."""

    action: str | None = None
    installation: Installation | None = None
    repository: Repository | None = None
    pull_request: Numbered | None = None
    issue: Numbered | None = None
    comment: Comment | None = None
    merge_group: MergeGroup | None = None


decode: Final = msgspec.json.Decoder(Payload).decode
"""Raises msgspec.DecodeError."""


def subject_of(event: str, payload: Payload) -> str | None:
    """What the delivery is about, or None if the App has nothing to do with it.

    Deliveries about the same pull request have the same subject, whatever the event.
    """
    if payload.installation is None:
        return None
    if event in INSTALLATION_EVENTS:
        return f"installation:{payload.installation.id}"
    if payload.repository is None:
        return None
    repository = payload.repository.id
    if event == "repository" and payload.action in REPOSITORY_ACTIONS:
        return f"repository:{repository}"
    if event == "merge_group" and payload.action == "checks_requested" and payload.merge_group:
        return f"merge_group:{repository}:{payload.merge_group.head_sha}"
    number = _pull(event, payload)
    return None if number is None else f"pull:{repository}:{number}"


def _pull(event: str, payload: Payload) -> int | None:
    """The pull request that the event is about, if it is to be handled."""
    if event == "pull_request" and payload.action in PULL_ACTIONS and payload.pull_request:
        return payload.pull_request.number
    issue, comment = payload.issue, payload.comment
    if event != "issue_comment" or payload.action != "created" or not (issue and comment):
        return None
    if issue.pull_request is None or command_of(comment.body) is None:
        return None
    return issue.number


def command_of(text: str | None) -> str | None:
    """The word that follows `/pullrisk` at the begin of a comment, "" without any, else None."""
    words = (text or "").split(maxsplit=2)
    if not words or words[0].lower() != PREFIX:
        return None
    return words[1].lower() if len(words) > 1 else ""
