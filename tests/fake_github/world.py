"""What the fake GitHub knows: repositories and pulls, which tests change as people would."""

import copy
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import rest_object_of
from support.sample import sample_pulls

Rest = dict[str, Any]

_LABELS = ("bug", "enhancement", "documentation", "ci", "good first issue")
_CHECKS = ("SUCCESS", "SUCCESS", "FAILURE", None, "PENDING")
_STATES = ("APPROVED", "COMMENTED", "CHANGES_REQUESTED", "DISMISSED")


@dataclass
class FakeRepository:
    """A repository; `pulls` are REST objects by number, `version` changes with any of them.

    `issues` are the labels of the issues that its pulls close, by `owner/name#number`, None for
    one that nobody may see. `blames` are, by commit and path, (first line, last line, commit that
    wrote them). Each pull left its branch where that stands now.
    """

    id: int
    name: str
    pulls: dict[int, Rest] = field(default_factory=dict)
    version: int = 0
    stars: int = 0
    private_to: frozenset[str] | None = None
    issues: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    blames: dict[str, dict[str, list[tuple[int, int, str]]]] = field(default_factory=dict)
    orders: dict[str, tuple[int, list[tuple[str, int]]]] = field(default_factory=dict)

    def ordered(self, by: str) -> list[tuple[str, int]]:
        """(`created_at` or `updated_at`, number) of all pulls, ascending."""
        known = self.orders.get(by)
        if known is None or known[0] != self.version:
            keys = sorted((pull[by], number) for number, pull in self.pulls.items())
            known = self.orders[by] = (self.version, keys)
        return known[1]


class World:
    """All repositories. `clock` is its time in seconds, None for the real one."""

    def __init__(self, *, clock: int | None = None) -> None:
        self.clock = clock
        self.repositories: dict[int, FakeRepository] = {}
        self.redirects: dict[str, int] = {}

    @property
    def version(self) -> int:
        """Changes whenever anything does."""
        return sum(each.version + 1 for each in self.repositories.values())

    def now(self) -> float:
        """Seconds since 1970, by this world's clock."""
        return time.time() if self.clock is None else self.clock

    def add(
        self, name: str, pulls: Iterable[Rest] = (), *, stars: int = 0, repository_id: int = 0
    ) -> FakeRepository:
        """A new repository with these pulls."""
        identity = repository_id or 1_000 + len(self.repositories) + len(self.redirects)
        repository = FakeRepository(identity, name, stars=stars)
        repository.pulls = {pull["number"]: pull for pull in pulls}
        self.repositories[identity] = repository
        self.redirects.pop(name.lower(), None)
        return repository

    def named(self, name: str) -> FakeRepository | None:
        """The repository of that name, also of an old one that nobody has taken since."""
        for each in self.repositories.values():
            if each.name.lower() == name.lower():
                return each
        return self.repositories.get(self.redirects.get(name.lower(), 0))

    def rename(self, repository: FakeRepository, name: str) -> None:
        """As its owner would; the old name leads to the new one."""
        self.redirects[repository.name.lower()] = repository.id
        repository.name = name
        repository.version += 1

    def delete(self, repository: FakeRepository) -> None:
        """As its owner would."""
        del self.repositories[repository.id]

    def change(
        self, repository: FakeRepository, number: int, *, late: int = 0, **fields: object
    ) -> None:
        """Change a pull now; `late`: a replica shows it only so many seconds after."""
        pull = copy.copy(repository.pulls[number])
        moment = max(_iso(self.now() - late), pull["updated_at"])
        pull.update(fields, updated_at=moment)
        repository.pulls[number] = pull
        repository.version += 1

    def open_pull(self, repository: FakeRepository, **fields: object) -> int:
        """A new pull, opened now."""
        number = max(repository.pulls, default=0) + 1
        moment = _iso(self.now())
        repository.pulls[number] = pull_like(number, created_at=moment, **fields)
        repository.version += 1
        return number


def load_sample(world: World, name: str, *, first: int | None = None) -> FakeRepository:
    """A repository of the bundled sample, its `first` pulls by creation, with made-up reviews."""
    pulls = [rest_object_of(pull) for pull in _by_creation(name)[:first]]
    authors = [pull["user"]["login"] for pull in pulls if pull["user"]]
    for place, pull in enumerate(pulls):
        _enrich(pull, name, authors, place)
    repository = world.add(name, pulls, stars=len(pulls))
    for closed in (each for pull in pulls for each in pull["closes"]):
        repository.issues[closed] = _LABELS[int(closed.partition("#")[2]) % 2 :][:2]
    return repository


@cache
def _by_creation(name: str) -> list[Pull]:
    """The sample's pulls of a repository: every test of the fetch asks for them."""
    return sorted(sample_pulls(repository=name), key=lambda pull: (pull.created_at, pull.number))


def pull_like(number: int, **fields: object) -> Rest:
    """A small pull that is open; `fields` are REST's."""
    moment = fields.get("created_at", "2024-01-01T00:00:00Z")
    return {
        "number": number,
        "title": f"Change {number}",
        "body": None,
        "user": {"login": f"author-{number % 7}", "type": "User"},
        "author_association": "CONTRIBUTOR",
        "draft": False,
        "created_at": moment,
        "updated_at": moment,
        "merged_at": None,
        "closed_at": None,
        "merge_commit_sha": None,
        "head": {"ref": f"branch-{number}", "sha": f"{number:040x}"},
        "base": {"ref": "main", "sha": f"{0xBA5E:040x}"},
        "additions": 1,
        "deletions": 0,
        "changed_files": 1,
        "commits": 1,
        "labels": [],
        "assignees": [],
        "requested_reviewers": [],
        "closes": [],
        "checks": "SUCCESS",
        "reviews": [],
        "files": [
            {"filename": f"src/{number}.py", "status": "added", "additions": 1, "deletions": 0}
        ],
        **fields,
    }


def _enrich(pull: Rest, name: str, authors: list[str], place: int) -> None:
    """What git history does not know, made up from the number: the same in every run."""
    number = pull["number"]
    count = 130 if place == 50 else number * 7919 % 5
    pull["reviews"] = [
        {
            "user": {"login": authors[(place + 3 * each + 1) % len(authors)], "type": "User"},
            "state": _STATES[(number + each) % 4],
            "submitted_at": pull["updated_at"],
        }
        for each in range(count)
    ]
    pull["base"] = {"ref": "main"}
    pull["head"] = {"ref": f"branch-{number}", **{k: v for k, v in pull["head"].items() if v}}
    pull["labels"] = [{"name": label} for label in _LABELS[: number % 3]]
    pull["requested_reviewers"] = [{"login": authors[place % 7], "type": "User"}] * (number % 2)
    pull["assignees"] = [{"login": authors[place % 5], "type": "User"}] * (number % 2)
    pull["closes"] = [f"{name}#{number - 1}"] * (number % 3 == 0)
    pull["checks"] = _CHECKS[number % 5]
    user = pull["user"]
    if user and user["type"] == "Bot":  # the sample's pseudonyms lack what GitHub's logins have
        pull["user"] = {**user, "login": f"{user['login']}[bot]"}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
