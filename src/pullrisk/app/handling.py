"""What the App does about each delivery.

A delivery only says that something happened. What is published follows from what GitHub says now,
so deliveries may come late, twice and in any order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from pullrisk.app.github import AppGitHub
from pullrisk.app.pulls import StoredNames, read_origins, read_pull, stored_as
from pullrisk.brief.make import KnownHunks
from pullrisk.brief.result import Brief
from pullrisk.errors import InputError
from pullrisk.fetch.github.failures import Forbidden, NotFound, Unauthorized
from pullrisk.model.metadata import OperatingPoints
from pullrisk.publish import render
from pullrisk.publish.api import Api, Confirm, repository_path
from pullrisk.publish.checks import CheckOutput, put_check
from pullrisk.publish.publisher import Publisher
from pullrisk.publish.result import Result, bounded
from pullrisk.pulls import feedback
from pullrisk.pulls.app_installations import AppInstallations
from pullrisk.pulls.deliveries import Delivery
from pullrisk.pulls.feedback import Feedback, Kind
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.rules import bands_of, reason_to_skip
from pullrisk.serve.webhook_events import (
    INSTALLATION_EVENTS,
    Comment,
    Payload,
    Repository,
    command_of,
    decode,
)

T = TypeVar("T")
MakeBrief = Callable[[Pull, OperatingPoints | None, KnownHunks], Awaitable[Brief]]
"""Makes the brief of a pull from its repository's history, with these bands, or the usual ones."""
KeepBrief = Callable[[Pull, Brief], Awaitable[None]]
"""Keeps what was published of a pull, for lists and pages."""

_HIDDEN: Final = (Forbidden, NotFound, Unauthorized)
_MERGE_GROUP: Final = CheckOutput(
    title="Scored before it was queued",
    summary="Each pull request is scored while it is open; the merge queue waits for nothing.",
)
_MOST_REPOSITORIES: Final = 100_000
_MOST_REMEMBERED: Final = 500
"""Heads whose hunks are kept in memory."""
_UNDERSTOOD: Final = "+1"
_CONFUSED: Final = "confused"


class Handler:
    """Handles deliveries: `store` gives the pull store as it is configured now."""

    def __init__(
        self,
        github: AppGitHub,
        store: Callable[[], PullStore],
        brief: MakeBrief,
        *,
        keep: KeepBrief,
        names: BotNames = NO_NAMES,
    ) -> None:
        self._github, self._store, self._brief = github, store, brief
        self._keep, self._names = keep, names
        self._host = github.endpoint.host
        self._touched: dict[tuple[str, int, str | None], KnownHunks] = {}

    async def handle(self, delivery: Delivery, confirm: Confirm) -> None:
        """Do what it asks for; `confirm` is awaited before each change that cannot come late.

        May be repeated. Raises a Failure, StoreError, LakeError or ModelError, and what `confirm`
        raises; nothing if the App was uninstalled.
        """
        payload = decode(delivery.body)
        if payload.installation is None:
            raise InputError(f"delivery {delivery.id} names no installation")
        api = self._github.installation(payload.installation.id, confirm)
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
        self, api: Api, repository: Repository, delivery: Delivery, payload: Payload
    ) -> None:
        """Do what a delivery about one repository asks for."""
        if payload.merge_group is not None:
            await put_check(
                api,
                repository.full_name,
                payload.merge_group.head_sha,
                subject=delivery.subject,
                output=_MERGE_GROUP,
            )
        elif payload.comment is not None and payload.issue is not None:
            await self._answer(api, repository, payload.issue.number, payload.comment)
        elif payload.pull_request is not None:
            await self._update(api, repository, payload.pull_request.number)
        elif payload.installation is not None:  # renamed or transferred
            await self._from_store(lambda store: self._stored_name(store, repository))
            await self._follow_installation(api, payload.installation.id)

    async def _update(self, api: Api, repository: Repository, number: int) -> None:
        """Record the pull as it is now; publish its score while it is open."""
        pull = await self._record(api, repository, number)
        if pull.state == "open":
            await self._publish(api, repository, pull)

    async def _record(self, api: Api, repository: Repository, number: int) -> Pull:
        described = await read_pull(api, repository.full_name, number, names=self._names)

        def record(store: PullStore) -> Pull:
            pull = stored_as(described.pull, self._stored_name(store, repository))
            return _kept(store, pull)

        pull = await self._from_store(record)
        if pull.state != "open" or pull.lines is None or _key(pull) in self._touched:
            return pull
        numbers = await self._from_store(lambda store: store.merges(pull.repository))
        touched = await read_origins(api, repository.full_name, described, pull, numbers)
        if touched.pull is pull:
            return pull
        self._remember(pull, KnownHunks(touched.hunks))
        return await self._from_store(lambda store: _kept(store, touched.pull))

    def _remember(self, pull: Pull, hunks: KnownHunks) -> None:
        """Keep the hunks of a head, so that GitHub is not asked again while it stands."""
        self._touched[_key(pull)] = hunks
        if len(self._touched) > _MOST_REMEMBERED:
            del self._touched[next(iter(self._touched))]

    async def _publish(self, api: Api, repository: Repository, pull: Pull) -> Result:
        """Tell the pull its brief, as its base branch asks for it; what was told."""
        publisher = self._publisher(api, repository)
        config, notices = await publisher.read_config(pull.base_ref)
        result = await self._result(pull, config, notices)
        subject = f"pull:{repository.id}:{pull.number}"
        await publisher.publish(result, config, subject=subject)
        if result.brief is not None:
            await api.confirm()
            await self._keep(pull, result.brief)
        return result

    def _publisher(self, api: Api, repository: Repository) -> Publisher:
        return Publisher(
            api=api,
            repository=repository.full_name,
            author=self._github.login,
            foot=render.APP,
            checks_by_default=True,
        )

    async def _result(
        self, pull: Pull, config: RepositoryConfig, notices: tuple[str, ...]
    ) -> Result:
        """The pull's brief, or why the configuration leaves it out."""
        if pull.head_sha is None:
            raise InputError(f"{pull.repository}#{pull.number} has no head commit")
        reason, brief = reason_to_skip(config, pull), None
        if reason is None:
            hunks = self._touched.get(_key(pull), KnownHunks({}))
            brief = bounded(await self._brief(pull, _points(config, pull), hunks))
        return Result(
            repository=pull.repository,
            number=pull.number,
            head_sha=pull.head_sha,
            reason=reason,
            brief=brief,
            notices=notices,
        )

    async def _answer(
        self, api: Api, repository: Repository, number: int, comment: Comment
    ) -> None:
        """Keep what somebody with write access says, and show it by a reaction."""
        if comment.user is None or not await _may_write(api, repository, comment.user.login):
            return
        word = command_of(comment.body)
        kind = next((kind for kind in feedback.KINDS if kind == word), None)
        if kind is not None:
            pull = await self._record(api, repository, number)
            if kind == "explain":
                result = await self._publish(api, repository, pull)
            else:
                publisher = self._publisher(api, repository)
                config, notices = await publisher.read_config(pull.base_ref)
                result = await self._result(pull, config, notices)
            answer = _feedback(result, kind, comment, comment.user.login)
            await self._from_store(
                lambda store: feedback.save_feedback(store, self._host, comment.id, answer)
            )
        await api.send(
            "POST",
            repository_path(repository.full_name, "issues", "comments", comment.id, "reactions"),
            {"content": _CONFUSED if kind is None else _UNDERSTOOD},
        )

    async def _follow_installation(self, api: Api, number: int) -> None:
        """Note which repositories the installation has now."""
        try:
            current = await api.pages(
                "/installation/repositories",
                Repository,
                part="repositories",
                most=_MOST_REPOSITORIES,
            )
        except _HIDDEN:
            current = []

        def note(store: PullStore) -> None:
            for repository in current:
                self._stored_name(store, repository)
            names = {repository.id: repository.full_name for repository in current}
            AppInstallations(store, self._host).replace(number, names)

        await api.confirm()
        await self._from_store(note)

    def _stored_name(self, store: PullStore, repository: Repository) -> str:
        return StoredNames(store, self._host).of(repository)

    async def _from_store(self, work: Callable[[PullStore], T]) -> T:
        """What `work` returns, called in a thread."""
        return await asyncio.to_thread(lambda: work(self._store()))


def _key(pull: Pull) -> tuple[str, int, str | None]:
    return pull.repository, pull.number, pull.head_sha


def _kept(store: PullStore, pull: Pull) -> Pull:
    """The pull as the store has it, joined with what it knew."""
    store.upsert([pull])
    return store.get(pull.repository, pull.number) or pull


class _Permission(msgspec.Struct):
    permission: str


async def _is_visible(api: Api, repository: Repository) -> bool:
    """Whether the installation may still see the repository."""
    try:
        await api.get(repository_path(repository.full_name), Repository)
    except _HIDDEN:
        return False
    return True


async def _may_write(api: Api, repository: Repository, login: str) -> bool:
    path = repository_path(repository.full_name, "collaborators", login, "permission")
    try:
        answer = await api.get(path, _Permission)
    except NotFound:
        return False
    return answer.permission in feedback.MAY_WRITE


def _points(config: RepositoryConfig, pull: Pull) -> OperatingPoints | None:
    """The bands that the configuration asks for; None if it asks for none."""
    bands = bands_of(config, pull)
    if bands == DEFAULTS.bands:
        return None
    return OperatingPoints(high=bands.high, elevated=bands.elevated)


def _feedback(result: Result, kind: Kind, comment: Comment, login: str) -> Feedback:
    return Feedback(
        repository=result.repository,
        number=result.number,
        kind=kind,
        login=login,
        at=datetime.now(UTC),
        note=feedback.note_of(comment.body or ""),
        risk=result.brief.risk if result.brief else None,
        band=result.band,
        head_sha=result.head_sha,
    )
