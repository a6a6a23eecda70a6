"""The checkout of a workflow: made complete, and never trusted beyond its commits."""

from typing import Final

import msgspec

from pullrisk.action.event import Event
from pullrisk.errors import InputError
from pullrisk.fetch.git.deepen import deepen
from pullrisk.fetch.git.program import Git
from pullrisk.repository_config.options import DEFAULTS, PATH, RepositoryConfig
from pullrisk.repository_config.reading import MOST_BYTES, ConfigError, parse

_REMOTE: Final = "refs/remotes/origin/"


class Remote(msgspec.Struct, frozen=True):
    """Where missing commits come from: GitHub's address, and a token that may read there."""

    server: str
    token: str | None = None


class Branches(msgspec.Struct, frozen=True):
    """`base` is the commit that the pull goes into, `history` the branch that is learnt from.

    That is the default branch, so that a stacked pull has the history of the repository.
    """

    base: str
    history: str
    history_commit: str


class UnscorableError(InputError):
    """The pull cannot be scored, for a reason that its people should read."""


def complete(git: Git, event: Event, remote: Remote) -> Branches:
    """Fetch what the checkout lacks of the history and of the pull.

    Raises UnscorableError if it cannot be made complete.
    """
    missing = _missing(git, event)
    if missing or git.is_shallow():
        refs = [*_branch_refs(event), *_pull_refs(event), *missing]
        try:
            deepen(git, list(dict.fromkeys(refs)), server=remote.server, token=remote.token)
        except InputError as error:
            _deepen_less(git, event, remote, error)
    head = event.pull.head_sha if event.pull else None
    if head and git.commit(head) is None:
        raise UnscorableError(
            f"the commit {head[:7]} is not there any more: the branch was pushed again meanwhile"
        )
    return _branches(git, event)


def _deepen_less(git: Git, event: Event, remote: Remote, error: InputError) -> None:
    """Fetch the default branch alone: the base, or the pull's ref, may have vanished meanwhile."""
    try:
        refs = [f"refs/heads/{event.default_branch}"] if event.default_branch else []
        deepen(git, refs, server=remote.server, token=remote.token)
    except InputError:
        if git.is_shallow():
            raise UnscorableError(
                "the checkout is shallow and its history cannot be fetched: set fetch-depth: 0 "
                f"at actions/checkout ({error.args[0]})"
            ) from None


def _branches(git: Git, event: Event) -> Branches:
    base_ref = event.pull.base_ref if event.pull else event.pushed
    base = git.commit(f"{_REMOTE}{base_ref}") if base_ref else None
    base = base or (git.commit(event.base_sha) if event.base_sha else None)
    if base is None:
        raise UnscorableError(f"the branch {base_ref} that it goes into is not there any more")
    for name in filter(None, (event.default_branch, base_ref)):
        commit = git.commit(f"{_REMOTE}{name}")
        if commit is not None:
            return Branches(base, f"{_REMOTE}{name}", commit)
    return Branches(base, base, base)


def _missing(git: Git, event: Event) -> list[str]:
    """The refs and commits of the event that the checkout does not have."""
    lacking = [
        ref
        for ref in _branch_refs(event)
        if git.commit(ref.replace("refs/heads/", _REMOTE, 1)) is None
    ]
    head = event.pull.head_sha if event.pull else None
    if head and git.commit(head) is None:
        lacking.append(head)
    return lacking


def _branch_refs(event: Event) -> list[str]:
    names = (event.default_branch, event.pull.base_ref if event.pull else event.pushed)
    return [f"refs/heads/{name}" for name in dict.fromkeys(filter(None, names))]


def _pull_refs(event: Event) -> list[str]:
    return [f"refs/pull/{event.pull.number}/head"] if event.pull else []


def read_config(git: Git, commit: str) -> RepositoryConfig:
    """`.github/pullrisk.yml` as of a commit; the defaults if it has none. Raises ConfigError."""
    try:
        data = git.contents(f"{commit}:{PATH}", most=MOST_BYTES)
    except InputError as error:
        raise ConfigError(str(error.args[0])) from None
    return DEFAULTS if data is None else parse(data)
