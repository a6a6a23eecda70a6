"""What the payload of an event says: which pull there is to score, or why there is none."""

from typing import Any, Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.pulls import lone_surrogates
from pullrisk.pulls.formats import parse_pull
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull, repository_name
from pullrisk.pulls.rest_shapes import RestRepository

MOST_BYTES: Final = 25_000_000
"""Of a payload; GitHub's own limit."""
MERGE_QUEUE: Final = "merge_group"
RELAY: Final = "workflow_run"
PRIVILEGED: Final = "pull_request_target"


class _Repository(msgspec.Struct):
    full_name: str
    id: int = 0
    default_branch: str = ""


class _Payload(msgspec.Struct):
    repository: _Repository
    pull_request: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    ref: str | None = None


class _Run(msgspec.Struct):
    head_sha: str
    head_branch: str | None = None
    head_repository: RestRepository | None = None


class _RelayPayload(msgspec.Struct):
    repository: _Repository
    workflow_run: _Run


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in which repository; `pull` is None if the event concerns none.

    `base_sha` is the base branch's commit as of the event, `pushed` the branch of a push.
    """

    name: str
    repository: str
    repository_id: int
    default_branch: str
    pull: Pull | None = None
    base_sha: str | None = None
    pushed: str | None = None


class FinishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow run that a `workflow_run` event tells of, and whose head it ran on."""

    repository: str
    repository_id: int
    head_sha: str
    head_branch: str
    head_repository: str


def parse_event(name: str, data: bytes, *, names: BotNames = NO_NAMES) -> Event:
    """The event in a payload. Raises InputError, which says what is wrong with it."""
    try:
        payload = lone_surrogates.decode(_decoder, data)
        repository = payload.repository
        common: dict[str, Any] = {
            "name": name,
            "repository": repository_name(repository.full_name),
            "repository_id": repository.id,
            "default_branch": repository.default_branch,
        }
        if payload.pull_request is msgspec.UNSET:
            pushed = (payload.ref or "").removeprefix("refs/heads/")
            return Event(**common, pushed=pushed if payload.ref != pushed else None)
        pull = parse_pull(data, names=names)
        base = msgspec.json.decode(payload.pull_request, type=_Based).base
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the payload of the event {name} cannot be understood: {error}",
            hint="is this GitHub's own payload? GITHUB_EVENT_PATH names its file",
        ) from None
    return Event(**common, pull=pull, base_sha=base.sha if base else None)


def parse_run(data: bytes) -> FinishedRun:
    """The run in the payload of a `workflow_run` event. Raises InputError."""
    try:
        payload = lone_surrogates.decode(_relay_decoder, data)
        run = payload.workflow_run
        head = repository_name(run.head_repository.full_name if run.head_repository else None)
        return FinishedRun(
            repository=repository_name(payload.repository.full_name),
            repository_id=payload.repository.id,
            head_sha=run.head_sha,
            head_branch=run.head_branch or "",
            head_repository=head,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the payload of the event {RELAY} cannot be understood: {error}",
        ) from None


class _Base(msgspec.Struct):
    sha: str | None = None


class _Based(msgspec.Struct):
    base: _Base | None = None


_decoder: Final = msgspec.json.Decoder(_Payload)
_relay_decoder: Final = msgspec.json.Decoder(_RelayPayload)
