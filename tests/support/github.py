"""Fetches from the fake GitHub, and what they have to leave in the store."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from fake_github.accounts import Accounts
from fake_github.app import FakeGitHub
from fake_github.faults import Faults
from fake_github.inside import URL, Inside
from fake_github.world import FakeRepository, Rest, World
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.fetch import GitHubReport, Request, fetch_github
from pullrisk.progress import Progress, Silent
from pullrisk.pulls.record import ChangedFile, Pull, Review, utc
from pullrisk.pulls.rest import parse_rest
from pullrisk.pulls.store import PullStore

PACE = 0.001
"""A second of waiting takes a millisecond."""
NOW = 1_735_732_800
"""The clock of the worlds at the beginning: 2025-01-01 12:00 UTC."""


class GitHub:
    """The fake inside this process, and the fetches from it into one store."""

    def __init__(self, world: World, store: PullStore) -> None:
        self.world, self.store = world, store
        self.app = FakeGitHub(world)

    @property
    def accounts(self) -> Accounts:
        """Who may ask it."""
        return self.app.accounts

    def misbehave(self, **faults: Any) -> None:
        """From now on."""
        self.app.faults = Faults(**faults)

    def fetch(
        self,
        *names: str,
        access: dict[str, Any] | None = None,
        progress: Progress | None = None,
        **request: Any,
    ) -> GitHubReport:
        """Fetch the repositories of these names."""
        return fetch_github(
            Request(repositories=names, **request),
            self.store,
            access=self.access(**(access or {})),
            progress=progress or Silent(),
        )

    def access(self, **options: Any) -> Access:
        """Access to the fake, waiting a thousandth of the time."""
        known: dict[str, Any] = {
            "url": URL,
            "tokens": ("fake-token",),
            "pace": PACE,
            "transport": Inside(self.app),
        }
        return Access(**{**known, **options})


def expected(repository: FakeRepository, *, stored_as: str | None = None) -> dict[int, Pull]:
    """Number → record, by way of the REST parser and not of the code under test."""
    name = stored_as or repository.name
    return {number: _record(pull, repository, name) for number, pull in repository.pulls.items()}


def stored(store: PullStore, name: str) -> dict[int, Pull]:
    """Number → record of everything the store holds of the repository."""
    return {pull.number: pull for pull in store.recent(repository=name, limit=1_000_000)}


def _record(rest: Rest, repository: FakeRepository, name: str) -> Pull:
    pull = parse_rest(json.dumps(rest), repository=name)
    return msgspec.structs.replace(
        pull,
        repository_id=repository.id,
        author_association=pull.author_association or "NONE",
        head_ref=pull.head_ref or "",
        head_sha=pull.head_sha or "0" * 40,
        commits=pull.commits or 0,
        additions=pull.additions or 0,
        deletions=pull.deletions or 0,
        changed_files=pull.changed_files or 0,
        files=tuple(_files(pull)),
        reviews=tuple(
            Review(
                each["user"]["login"],
                each["state"].lower(),
                utc(msgspec.convert(each["submitted_at"], type(pull.created_at))),
            )
            for each in rest["reviews"]
        ),
        review_decision="approved" if rest["reviews"] else None,
        checks=rest["checks"].lower() if rest["checks"] else None,
        closes=tuple(rest["closes"]),
        closed_bugs=_closed_bugs(
            [(each, repository.issues.get(each, ())) for each in rest["closes"]]
        ),
        unknown=(),  # GraphQL tells every pull's description, also an empty one
    )


def _closed_bugs(issues: list[tuple[str, tuple[str, ...] | None]]) -> tuple[str, ...] | None:
    bugs = tuple(name for name, labels in issues if "bug" in (labels or ()))
    return bugs if bugs or all(labels is not None for _, labels in issues) else None


def _files(pull: Pull) -> Iterator[ChangedFile]:
    """GraphQL tells neither the earlier path nor an unknown count."""
    for file in pull.files or ():
        yield ChangedFile(file.path, file.status, file.additions or 0, file.deletions or 0)
