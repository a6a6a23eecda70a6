"""What the App does about each delivery.

A delivery only says that something happened. What is published follows from what GitHub says now,
so deliveries may come late, twice and in any order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from pullrisk.app import feedback
from pullrisk.app.checks import Verdict, publish_check
from pullrisk.app.feedback import Feedback, Kind
from pullrisk.app.github import AppGitHub, InstallationApi, repository_path
from pullrisk.app.pulls import StoredNames, read_pull, stored_as
from pullrisk.app.verdict import MERGE_GROUP, verdict_of
from pullrisk.errors import InputError
from pullrisk.fetch.github.failures import Forbidden, NotFound, Unauthorized
from pullrisk.pulls.deliveries import Delivery
from pullrisk.pulls.installed import Installed
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore
from pullrisk.serve.shapes import Score
from pullrisk.serve.webhook_events import (
    INSTALLATION_EVENTS,
    Comment,
    Payload,
    Repository,
    command_of,
    decode,
)

T = TypeVar("T")
ScorePull = Callable[[Pull], Awaitable[Score]]
"""Scores a pull with its reasons, from its repository's history."""

_HIDDEN: Final = (Forbidden, NotFound, Unauthorized)
_UNDERSTOOD: Final = "+1"
_CONFUSED: Final = "confused"


class Handler:
    """Handles deliveries: `store` gives the pull store as it is configured now."""

    def __init__(
        self,
        github: AppGitHub,
        store: Callable[[], PullStore],
        score: ScorePull,
        *,
        names: BotNames = NO_NAMES,
    ) -> None:
        self._github, self._store, self._score = github, store, score
        self._names = names
        self._host = github.endpoint.host

    async def handle(self, delivery: Delivery) -> None:
        """Do what it asks for. May be repeated.

        Raises a Failure, StoreError, LakeError or ModelError; nothing if the App was uninstalled.
        """
        payload = decode(delivery.body)
        if payload.installation is None:
            raise InputError(f"delivery {delivery.id} names no installation")
        api = self._github.installation(payload.installation.id)
        if delivery.event in INSTALLATION_EVENTS:
            await self._follow_installation(api, payload.installation.id)
            return
        if payload.repository is None:
            raise InputError(f"delivery {delivery.id} names no repository")
        try:
            await self._about(api, payload.repository, delivery, payload)
        except _HIDDEN:
            # Gone, suspended, or not installed there any more: then there is nobody to tell.
            if await _is_visible(api, payload.repository):
                raise

    async def _about(
        self, api: InstallationApi, repository: Repository, delivery: Delivery, payload: Payload
    ) -> None:
        """Do what a delivery about one repository asks for."""
        if payload.merge_group is not None:
            await publish_check(
                api,
                repository.full_name,
                payload.merge_group.head_sha,
                subject=delivery.subject,
                verdict=MERGE_GROUP,
            )
        elif payload.comment is not None and payload.issue is not None:
            await self._answer(api, repository, payload.issue.number, payload.comment)
        elif payload.pull_request is not None:
            await self._update(api, repository, payload.pull_request.number)
        else:  # renamed or transferred
            await self._from_store(lambda store: self._stored_name(store, repository))

    async def _update(self, api: InstallationApi, repository: Repository, number: int) -> None:
        """Record the pull as it is now; publish its score while it is open."""
        pull = await self._record(api, repository, number)
        if pull.state == "open":
            await self._publish(api, repository, pull)

    async def _record(self, api: InstallationApi, repository: Repository, number: int) -> Pull:
        described = await read_pull(api, repository.full_name, number, names=self._names)

        def record(store: PullStore) -> Pull:
            pull = stored_as(described, self._stored_name(store, repository))
            store.upsert([pull])
            return store.get(pull.repository, pull.number) or pull

        return await self._from_store(record)

    async def _publish(self, api: InstallationApi, repository: Repository, pull: Pull) -> Score:
        score = await self._score(pull)
        await self._check(api, repository, pull, verdict_of(score))
        return score

    async def _check(
        self, api: InstallationApi, repository: Repository, pull: Pull, verdict: Verdict
    ) -> None:
        if pull.head_sha is None:
            raise InputError(f"{repository.full_name}#{pull.number} has no head commit")
        subject = f"pull:{repository.id}:{pull.number}"
        await publish_check(
            api, repository.full_name, pull.head_sha, subject=subject, verdict=verdict
        )

    async def _answer(
        self, api: InstallationApi, repository: Repository, number: int, comment: Comment
    ) -> None:
        """Keep what somebody with write access says, and show it by a reaction."""
        if comment.user is None or not await _may_write(api, repository, comment.user.login):
            return
        word = command_of(comment.body)
        kind = next((kind for kind in feedback.KINDS if kind == word), None)
        if kind is not None:
            pull = await self._record(api, repository, number)
            score = await self._score(pull)
            if kind == "explain":
                await self._check(api, repository, pull, verdict_of(score))
            said = _feedback(pull, score, kind, comment, comment.user.login)
            await self._from_store(lambda store: feedback.keep(store, self._host, comment.id, said))
        await api.send(
            "POST",
            repository_path(repository.full_name, "issues", "comments", comment.id, "reactions"),
            {"content": _CONFUSED if kind is None else _UNDERSTOOD},
        )

    async def _follow_installation(self, api: InstallationApi, number: int) -> None:
        """Note which repositories the installation has now."""
        try:
            repositories = await api.pages(
                "/installation/repositories", part="repositories", most=100_000
            )
        except _HIDDEN:
            repositories = []
        current = msgspec.convert(repositories, list[Repository])

        def note(store: PullStore) -> None:
            for repository in current:
                self._stored_name(store, repository)
            names = {repository.id: repository.full_name for repository in current}
            Installed(store, self._host).replace(number, names)

        await self._from_store(note)

    def _stored_name(self, store: PullStore, repository: Repository) -> str:
        return StoredNames(store, self._host).of(repository)

    async def _from_store(self, work: Callable[[PullStore], T]) -> T:
        """What `work` returns, called in a thread."""
        return await asyncio.to_thread(lambda: work(self._store()))


async def _is_visible(api: InstallationApi, repository: Repository) -> bool:
    """Whether the installation may still see the repository."""
    try:
        await api.get(repository_path(repository.full_name))
    except _HIDDEN:
        return False
    return True


async def _may_write(api: InstallationApi, repository: Repository, login: str) -> bool:
    path = repository_path(repository.full_name, "collaborators", login, "permission")
    try:
        answer = await api.get(path)
    except NotFound:
        return False
    return answer["permission"] in feedback.MAY_WRITE


def _feedback(pull: Pull, score: Score, kind: Kind, comment: Comment, login: str) -> Feedback:
    return Feedback(
        repository=pull.repository,
        number=pull.number,
        kind=kind,
        login=login,
        at=datetime.now(UTC),
        note=feedback.note_of(comment.body or ""),
        risk=score.risk,
        band=score.band,
        head_sha=pull.head_sha,
    )
